//! The tables in the docs say what the program does; `UPDATE_DOCS=1` writes them anew.

use std::fs;
use std::path::Path;

const END: &str = "<!-- end -->";

/// Compares the part of a page between `<!-- name -->` and the end mark with what the program says, or replaces it.
#[track_caller]
fn holds(page: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{page}: {e}"));
    let begin = format!("<!-- {name} -->\n");
    let marked = text
        .split_once(&begin)
        .and_then(|(head, rest)| rest.split_once(END).map(|(old, tail)| (head, old, tail)));
    let Some((head, old, tail)) = marked else {
        panic!("docs/{page} has no marks `{}` and `{END}`", begin.trim_end());
    };
    if old == table {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/{page}, `{name}`: not what the program says; run this test with UPDATE_DOCS=1 and read the difference"
    );
    let written = fs::write(&path, format!("{head}{begin}{table}{END}{tail}"));
    written.unwrap_or_else(|e| panic!("{page}: {e}"));
}

#[test]
fn the_page_of_configuration_keys_is_true() {
    holds("configuration.md", "keys", &switchyard::config::keys::markdown());
    holds("sign-in.md", "issuers", &switchyard::config::issuers::markdown());
}

#[test]
fn the_page_of_the_command_line_is_true() {
    holds("cli.md", "commands", &switchyard::cli::reference::markdown());
    holds("cli.md", "exit codes", &switchyard::cli::exit::markdown());
}

#[test]
fn the_page_of_routes_is_true() {
    holds("api.md", "routes", &switchyard::http::reference::markdown());
}

#[test]
fn the_accounts_on_the_page_and_of_the_demo_have_the_rights_that_the_driver_needs() {
    let lines = switchyard::driver::asterisk::account_lines().join("\n");
    for path in ["docs/asterisk.md", "pbx/demo/manager.conf"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let (_, section) = text.split_once("[switchyard]\n").unwrap();
        let rights: Vec<&str> = section
            .lines()
            .take_while(|line| !line.is_empty() && !line.starts_with("```"))
            .filter(|line| line.starts_with("read") || line.starts_with("write"))
            .collect();
        assert_eq!(rights.join("\n"), lines, "{path}");
    }
}
