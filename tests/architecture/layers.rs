//! The layer table as data, and the test that every path in `src` keeps to it.

use crate::references::{self, Kind, Reference};
use crate::tree;

/// Each top-level module with the modules it may import. `main` is the binary's file.
pub const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &[]),
    ("crypto", &[]),
    ("telemetry", &[]),
    ("config", &["domain"]),
    ("render", &["domain"]),
    ("store", &["domain", "crypto"]),
    ("driver", &["domain", "wire"]),
    ("auth", &["domain", "store"]),
    ("deploy", &["domain", "store", "render", "driver"]),
    ("monitor", &["domain", "store", "driver"]),
    ("app", &["domain", "store", "auth", "driver", "deploy", "monitor"]),
    ("http", &["domain", "app", "auth"]),
    ("outbox", &["domain", "store"]),
    (
        "daemon",
        &[
            "domain",
            "wire",
            "crypto",
            "telemetry",
            "config",
            "render",
            "store",
            "driver",
            "auth",
            "deploy",
            "monitor",
            "app",
            "http",
            "outbox",
        ],
    ),
    ("cli", &["config", "domain", "app", "daemon"]),
    ("main", &["cli"]),
];

/// The file where paths meet handlers, and the only one that may.
const ROUTES: &str = "src/http/routes.rs";

/// What an axum router is built with.
const ROUTER_METHODS: [&str; 6] = [
    "route",
    "route_service",
    "nest",
    "nest_service",
    "fallback_service",
    "merge",
];

/// What a module may import, or nothing for a module that the table does not know.
pub fn allowed(module: &str) -> Option<&'static [&'static str]> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, imports)| *imports)
}

/// Every broken rule of a file, as `path:line: rule`.
pub fn broken(path: &str, text: &str) -> Vec<String> {
    let module = tree::module_of(path);
    let reading = references::read(&module, text);
    let mut broken: Vec<(usize, String)> = Vec::new();
    let top = module.first().map_or("", String::as_str);
    if module.is_empty() {
        let only_modules =
            "the crate's root holds modules only: a name there could be reached from every layer";
        broken.extend(reading.items.iter().map(|line| (*line, only_modules.to_owned())));
    } else if allowed(top).is_none() {
        broken.push((1, format!("`{top}` is not in the layer table")));
    }
    for reference in &reading.references {
        broken.extend(broken_layer(reference).map(|rule| (reference.line, rule)));
    }
    for detour in &reading.detours {
        let rule = format!("{} hides paths from the layer rules", detour.what);
        broken.push((detour.line, rule));
    }
    if top == "http" && path != ROUTES {
        for (method, line) in &reading.method_calls {
            if ROUTER_METHODS.contains(&method.as_str()) {
                let rule = format!("`.{method}(…)`: routes are made in {ROUTES} only, with their permission");
                broken.push((*line, rule));
            }
        }
    }
    broken.sort();
    broken.dedup();
    broken
        .into_iter()
        .map(|(line, rule)| format!("{path}:{line}: {rule}"))
        .collect()
}

fn broken_layer(reference: &Reference) -> Option<String> {
    let Reference {
        target, module, kind, ..
    } = reference;
    let from = module.first()?.as_str();
    let Some(to) = target.first().map(String::as_str) else {
        return Some("names the crate's root, from which every layer can be reached".to_owned());
    };
    if to == "*" {
        return Some("names everything of the crate's root, which is every layer".to_owned());
    }
    let in_api = module.get(1).is_some_and(|inner| inner == "api");
    if to == from {
        let reaches = in_api && from == "http" && target.get(1).is_some_and(|inner| inner == "routes");
        return reaches.then(|| {
            format!(
                "`http::api` may not know of `{}`: routes are made there only",
                target.join("::")
            )
        });
    }
    let Some(imports) = allowed(from) else {
        return None; // Reported once for the file.
    };
    if allowed(to).is_none() {
        return Some(format!("`crate::{to}` is not in the layer table"));
    }
    if !imports.contains(&to) {
        return Some(format!(
            "`{from}` may not import `{to}` (`{}`)",
            target.join("::")
        ));
    }
    if *kind == Kind::ReExport {
        return Some(format!(
            "`{from}` re-exports `{}`: name it where it lives, or a layer is reached through another",
            target.join("::")
        ));
    }
    if in_api && to == "auth" && target.get(1).is_none_or(|inner| inner != "caller") {
        return Some(format!(
            "`http::api` may know of `auth` the caller only (`{}`)",
            target.join("::")
        ));
    }
    None
}

#[test]
fn every_path_in_the_sources_keeps_to_the_layer_table() {
    let broken: Vec<String> = tree::rust_files("src")
        .iter()
        .flat_map(|file| broken(&file.path, &file.text))
        .collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn no_layer_reaches_back_to_one_that_imports_it() {
    for (index, (module, imports)) in LAYERS.iter().enumerate() {
        for import in *imports {
            let imported = LAYERS.iter().position(|(name, _)| name == import);
            assert!(
                imported.is_some_and(|at| at < index),
                "`{module}` imports `{import}`, which stands behind it in the table"
            );
        }
    }
}
