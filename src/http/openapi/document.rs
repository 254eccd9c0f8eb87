//! The document: every route of the table with all that it may be asked and may answer.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::problems;
use super::schemas::{self, Schemas};
use super::shape::{Media, Parameter, Reply};
use crate::auth::access::Access;
use crate::domain::ids::TenantId;
use crate::domain::reason::Reason;
use crate::http::problem;
use crate::http::routes::{Audits, Route};

/// Describes these routes.
#[must_use]
pub fn document<S>(table: &[Route<S>]) -> Value {
    let mut schemas = Schemas::new();
    schemas.answer(SchemaGenerator::subschema_for::<problem::Body>);
    let mut responses = Map::new();
    let mut paths = Map::new();
    let mut sections: Vec<&str> = Vec::new();
    for route in table {
        if !sections.contains(&route.section()) {
            sections.push(route.section());
        }
        let operation = operation(route, &mut schemas, &mut responses);
        let path = paths.entry(route.path()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method().as_str().to_ascii_lowercase(), operation);
        }
    }
    let tags: Vec<Value> = sections.into_iter().map(|name| json!({"name": name})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Switchyard",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "license": {"name": "Apache 2.0", "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{"url": "/", "description": "The server that this document came from"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.named(),
            "responses": responses,
            "parameters": {
                "OperateAsTenant": header(&Parameter {
                    name: "X-Operate-As-Tenant",
                    description: "The tenant to act in, for the operator's people.",
                    schema: schemas::of::<TenantId>(),
                }),
                "Reason": header(&Parameter {
                    name: "X-Reason",
                    description: "Why something is changed; the operator's people have to say it.",
                    schema: schemas::of::<Reason>(),
                }),
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation<S>(route: &Route<S>, schemas: &mut Schemas, responses: &mut Map<String, Value>) -> Value {
    let shape = route.shape();
    let mut operation = json!({
        "operationId": route.id(),
        "summary": route.summary(),
        "description": description(route),
        "tags": [route.section()],
        "security": if route.access() == Access::Public { json!([]) } else { json!([{"bearer": []}]) },
        "parameters": parameters(route),
        "responses": answers(route, schemas, responses),
        "x-right": route.access().right(),
        "x-audits": match route.audits() {
            Some(Audits::Entry(actions)) => json!(actions),
            Some(Audits::Nothing(_)) | None => Value::Null,
        },
    });
    if !shape.body.is_empty() {
        let content = content(&shape.body, |schema| schemas.body(schema));
        let body = json!({"required": true, "content": content});
        if let Some(operation) = operation.as_object_mut() {
            operation.insert("requestBody".to_owned(), body);
        }
    }
    operation
}

fn description<S>(route: &Route<S>) -> String {
    let mut lines = vec![match route.access() {
        Access::Public => "Open to everybody.".to_owned(),
        Access::Own => "For whoever has signed in, about what is their own.".to_owned(),
        Access::Member => "For everybody in the tenant, with any role.".to_owned(),
        Access::Tenant(_) | Access::Platform(_) => format!("Needs `{}`.", route.access().right()),
    }];
    match route.audits() {
        Some(Audits::Entry(actions)) => lines.push(format!("Audited as `{}`.", actions.join("` or `"))),
        Some(Audits::Nothing(why)) => lines.push(format!("Not audited: {why}.")),
        None => {}
    }
    lines.join(" ")
}

fn parameters<S>(route: &Route<S>) -> Vec<Value> {
    let shape = route.shape();
    let path = route
        .parameter()
        .zip(shape.id.as_ref())
        .map(|(name, schema)| json!({"name": name, "in": "path", "required": true, "schema": schema}));
    let query = shape.query.iter().map(|parameter| written(parameter, "query"));
    let mut parameters: Vec<Value> = path.into_iter().chain(query).collect();
    parameters.extend(shape.headers.iter().map(header));
    if route.access().is_in_tenant() {
        parameters.push(json!({"$ref": "#/components/parameters/OperateAsTenant"}));
        if !route.method().is_safe() {
            parameters.push(json!({"$ref": "#/components/parameters/Reason"}));
        }
    }
    parameters
}

fn answers<S>(route: &Route<S>, schemas: &mut Schemas, responses: &mut Map<String, Value>) -> Value {
    let mut answers = Map::new();
    for reply in &route.shape().replies {
        answers.insert(reply.status.to_string(), answer(reply, schemas));
    }
    for (status, codes) in route.problems().iter() {
        let name = problems::name(status, codes);
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        responses
            .entry(name)
            .or_insert_with(|| problems::answer(status, codes));
        // A status that is a good answer here, such as that of `/readyz`, is described as that.
        answers.entry(status.to_string()).or_insert(reference);
    }
    Value::Object(answers)
}

fn answer(reply: &Reply, schemas: &mut Schemas) -> Value {
    let mut answer = Map::new();
    answer.insert("description".to_owned(), problems::title(reply.status).into());
    if !reply.body.is_empty() {
        let content = content(&reply.body, |schema| schemas.answer(schema));
        answer.insert("content".to_owned(), content);
    }
    if !reply.headers.is_empty() {
        let headers = reply.headers.iter().map(|header| {
            let described = json!({"description": header.description, "schema": header.schema});
            (header.name.to_owned(), described)
        });
        answer.insert("headers".to_owned(), headers.collect::<Map<_, _>>().into());
    }
    answer.into()
}

fn content(forms: &[Media], mut schema: impl FnMut(super::shape::SchemaOf) -> Value) -> Value {
    let forms = forms
        .iter()
        .map(|form| (form.name.to_owned(), json!({"schema": schema(form.schema)})));
    forms.collect::<Map<_, _>>().into()
}

fn header(parameter: &Parameter) -> Value {
    written(parameter, "header")
}

fn written(parameter: &Parameter, place: &str) -> Value {
    let mut written = json!({"name": parameter.name, "in": place, "schema": parameter.schema});
    if let Some(written) = written
        .as_object_mut()
        .filter(|_| !parameter.description.is_empty())
    {
        written.insert("description".to_owned(), parameter.description.into());
    }
    written
}
