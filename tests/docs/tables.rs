//! The tables in the docs say what the program does; `UPDATE_DOCS=1` writes them anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end -->";

/// Compares the part of a page between the marks with what the program says, or replaces it.
#[track_caller]
fn holds(page: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{page}: {e}"));
    let marked = text
        .split_once(BEGIN)
        .and_then(|(head, rest)| rest.split_once(END).map(|(old, tail)| (head, old, tail)));
    let Some((head, old, tail)) = marked else {
        panic!("{page} has no marks `{}` and `{END}`", BEGIN.trim_end());
    };
    if old == table {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let written = fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}"));
        written.unwrap_or_else(|e| panic!("{page}: {e}"));
        return;
    }
    panic!(
        "docs/{page} is not what the program says; run this test with UPDATE_DOCS=1 and read the difference"
    );
}

#[test]
fn the_page_of_configuration_keys_is_true() {
    holds("configuration.md", &switchyard::config::keys::markdown());
}
