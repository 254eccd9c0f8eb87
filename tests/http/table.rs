//! The route table as a whole, for somebody to read, and the document that is made from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use switchyard::auth::access::Access;
use switchyard::http::openapi::document::document;
use switchyard::http::routes::{Audits, Route, Shared, table};

/// A row: what the route asks of its caller, what it leaves in the audit log, what it looks at, and what it answers.
fn row(route: &Route<Shared>) -> String {
    let shape = route.shape();
    let audits = match route.audits() {
        None => "-",
        Some(Audits::Entry(actions)) => &actions.join(" "),
        Some(Audits::Nothing(_)) => "NOTHING",
    };
    let flags = [
        ("once", shape.reads_header("Idempotency-Key")),
        ("if-match", shape.reads_header("If-Match")),
        ("streams", shape.streams()),
        ("body", !shape.body.is_empty()),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| *name)
        .collect();
    let mut statuses: BTreeSet<u16> = shape.replies.iter().map(|reply| reply.status).collect();
    statuses.extend(route.problems().iter().map(|(status, _)| status));
    let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
    format!(
        "{:6} {:45} {:21} {:25} {:14} {}",
        route.method().as_str(),
        route.path(),
        route.access().right(),
        audits,
        flags.join(" "),
        statuses.join(" ")
    )
}

#[test]
fn o61_every_route_with_its_right_and_its_audit_action_is_as_reviewed() {
    let mut text = String::new();
    for route in table() {
        writeln!(text, "{}", row(&route).trim_end()).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = document(&table());
    let mut told = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            told.insert((method.to_uppercase(), path.clone()));
        }
    }
    let there: BTreeSet<_> = table()
        .iter()
        .map(|route| (route.method().to_string(), route.path().to_owned()))
        .collect();
    assert_eq!(told, there);
}

#[test]
fn every_route_has_a_name_of_its_own_and_asks_who_is_calling_unless_it_is_public() {
    let mut names = BTreeSet::new();
    for route in table() {
        assert!(names.insert(route.id()), "{} twice", route.id());
        assert!(
            !route.summary().is_empty() && !route.section().is_empty(),
            "{}",
            route.id()
        );
        let public = route.access() == Access::Public;
        assert_eq!(route.shape().caller, !public, "{}", route.id());
        let parameters = route.path().matches('{').count();
        assert_eq!(
            parameters,
            usize::from(route.shape().id.is_some()),
            "{}",
            route.path()
        );
        assert!(!route.shape().replies.is_empty(), "{}", route.id());
    }
}

/// Every schema inside of a value of the document, with its place.
fn schemas<'a>(place: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            found.push((place.to_owned(), value));
            for (name, inner) in fields {
                schemas(&format!("{place}/{name}"), inner, found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                schemas(&format!("{place}/{index}"), inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn bodies_refuse_fields_that_nobody_knows_and_texts_of_any_length() {
    let document = document(&table());
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut found = Vec::new();
            schemas(
                &format!("{method} {path}"),
                &operation["requestBody"]["content"]["application/json"],
                &mut found,
            );
            for (place, schema) in found {
                if schema.get("properties").is_some_and(Value::is_object) {
                    assert_eq!(schema["additionalProperties"], false, "{place}");
                    checked += 1;
                }
                let types = &schema["type"];
                if types == "string"
                    || types
                        .as_array()
                        .is_some_and(|types| types.contains(&"string".into()))
                {
                    let bounds = ["const", "enum", "maxLength", "pattern", "format"];
                    assert!(
                        bounds.iter().any(|keyword| schema.get(keyword).is_some()),
                        "{place}: {schema}"
                    );
                }
            }
        }
    }
    assert!(checked > 5, "{checked}");
}
