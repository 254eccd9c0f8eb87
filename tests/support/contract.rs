//! Holds what the service answers to its own OpenAPI document: a status that is told, and a body as it is told.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};
use switchyard::http::openapi::document::document;
use switchyard::http::routes::table;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract {
    document: document(&table()),
    validators: Mutex::default(),
});

struct Contract {
    document: Value,
    /// By the place of their schema in the document.
    validators: Mutex<BTreeMap<String, &'static Validator>>,
}

/// What was asked.
pub struct Asked<'a> {
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// Where there was a body in JSON.
    pub json: Option<&'a Value>,
}

/// What was answered.
pub struct Answered<'a> {
    pub status: u16,
    /// Empty where there is none.
    pub media_type: &'a str,
    /// Null where it is no JSON.
    pub body: &'a Value,
}

/// Fails where the document tells something else. Paths and methods that it does not know are somebody else's concern.
#[track_caller]
pub fn check(asked: &Asked<'_>, answered: &Answered<'_>) {
    let method = match asked.method {
        "HEAD" => "get".to_owned(),
        method => method.to_ascii_lowercase(),
    };
    let contract = &*CONTRACT;
    let Some(place) = contract
        .place(asked.path)
        .map(|path| format!("/paths/{}/{method}", escaped(path)))
    else {
        return;
    };
    let Some(operation) = contract.document.pointer(&place) else {
        return;
    };
    let what = format!("{} {} -> {}", asked.method, asked.path, answered.status);
    let status = answered.status.to_string();
    let told = operation.pointer(&format!("/responses/{status}"));
    let told = told.unwrap_or_else(|| panic!("{what}: the document does not tell this status"));
    let place = match told["$ref"].as_str() {
        Some(reference) => reference.trim_start_matches('#').to_owned(),
        None => format!("{place}/responses/{status}"),
    };
    let content = contract.document.pointer(&format!("{place}/content"));
    match content.and_then(Value::as_object) {
        // HEAD has the headers alone.
        _ if asked.method == "HEAD" => {}
        None => assert_eq!(answered.media_type, "", "{what}: the document tells no body"),
        Some(forms) => {
            let form = answered.media_type.split(';').next().unwrap_or_default();
            assert!(
                forms.contains_key(form),
                "{what}: the document does not tell `{form}`"
            );
            if form.ends_with("json") {
                let schema = format!("{place}/content/{}/schema", escaped(form));
                contract.validate(&schema, answered.body, &what);
            }
        }
    }
    // What is wrong with rows is what a dry run is for.
    let taken = answered.status < 300 && !asked.path.contains("dry_run");
    if let Some(json) = asked.json.filter(|_| taken) {
        let what = format!("{what}: it took a body that the document does not allow");
        contract.validate_body(asked.method, contract.place(asked.path).unwrap(), json, &what);
    }
}

/// Fails where a route, named by its path of the document, does not take this body.
#[track_caller]
pub fn takes(method: &str, path: &str, json: &Value) {
    CONTRACT.validate_body(method, path, json, &format!("{method} {path}"));
}

impl Contract {
    /// Fails where a value is not what a schema at this place of the document tells.
    #[track_caller]
    fn validate(&self, schema: &str, value: &Value, what: &str) {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator: &Validator = validators.entry(schema.to_owned()).or_insert_with(|| {
            let mut standing_alone = json!({"components": self.document["components"]});
            let own = self
                .document
                .pointer(schema)
                .unwrap()
                .as_object()
                .unwrap()
                .clone();
            standing_alone.as_object_mut().unwrap().extend(own);
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Box::leak(Box::new(options.build(&standing_alone).unwrap()))
        });
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {value}\n{}", errors.join("\n"));
    }

    /// Fails where a body in JSON is not what the document tells of a route that takes one.
    #[track_caller]
    fn validate_body(&self, method: &str, path: &str, json: &Value, what: &str) {
        let (path, method) = (escaped(path), method.to_ascii_lowercase());
        let schema = format!("/paths/{path}/{method}/requestBody/content/application~1json/schema");
        if self.document.pointer(&schema).is_some() {
            self.validate(&schema, json, what);
        }
    }

    /// The path of the document that a path is one of: the one with the fewest parameters.
    fn place(&self, path: &str) -> Option<&str> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.document["paths"].as_object().unwrap().keys();
        let fitting = paths.filter(|template| fits(template, path));
        fitting
            .min_by_key(|template| template.matches('{').count())
            .map(String::as_str)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(part, word)| part == word || part.starts_with('{') && !word.is_empty())
}

/// As a part of a JSON pointer.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}
