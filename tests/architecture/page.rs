//! `docs/ARCHITECTURE.md` lists the modules that there are, with the imports that the rules allow.

use std::collections::BTreeMap;
use std::fs;

use crate::layers;
use crate::tree;

/// The rows of the page's module table: module name to its permitted imports, both as written.
fn rows(page: &str) -> BTreeMap<String, Vec<String>> {
    page.lines()
        .skip_while(|line| *line != "## Modules")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let name = cells[0].trim().trim_end_matches('`').to_owned();
            let imports = cells[2].split(',').map(|word| word.trim().replace('`', ""));
            (
                name,
                imports.filter(|word| !word.is_empty() && word != "–").collect(),
            )
        })
        .collect()
}

#[test]
fn the_architecture_page_lists_the_modules_there_are() {
    let page = fs::read_to_string(tree::root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows = rows(&page);
    let mut listed: Vec<&str> = rows.keys().map(String::as_str).collect();
    listed.retain(|name| *name != "main");

    let library = fs::read_to_string(tree::root().join("src/lib.rs")).unwrap();
    let mut modules: Vec<String> = syn::parse_file(&library)
        .unwrap()
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Mod(module) => Some(module.ident.to_string()),
            _ => None,
        })
        .collect();
    modules.sort();
    assert_eq!(
        listed, modules,
        "the table under `## Modules` in docs/ARCHITECTURE.md"
    );

    for (module, imports) in &rows {
        let there = |import: &&&str| modules.iter().any(|module| module == **import);
        let allowed: Vec<&str> = layers::allowed(module)
            .unwrap()
            .iter()
            .filter(there)
            .copied()
            .collect();
        let all_but_cli = module == "daemon" && imports == &["all but cli"];
        assert!(
            all_but_cli || *imports == allowed,
            "docs/ARCHITECTURE.md: `{module}` may import {allowed:?}"
        );
    }
}
