//! The routes as the docs list them.

use std::fmt::Write as _;

use super::routes::{Audits, Route, Shared, table};

/// Every route in a table of Markdown, section by section.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    let mut section = "";
    for route in table() {
        if route.section() != section {
            section = route.section();
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n### {section}\n\n| route | right | | audited as |\n|---|---|---|---|\n"
            );
        }
        text.push_str(&row(&route));
    }
    text.push('\n');
    text
}

fn row(route: &Route<Shared>) -> String {
    let shape = route.shape();
    let mut does = vec![route.summary().to_owned()];
    does.extend(words(shape.query.iter().map(|parameter| parameter.name)));
    does.extend(words(shape.headers.iter().map(|header| header.name)));
    let audits = match route.audits() {
        Some(Audits::Entry(actions)) => format!("`{}`", actions.join("`, `")),
        Some(Audits::Nothing(why)) => format!("nothing: {why}"),
        None => String::new(),
    };
    format!(
        "| `{} {}` | `{}` | {} | {audits} |\n",
        route.method(),
        route.path(),
        route.access().right(),
        does.join("; ")
    )
}

fn words<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
