//! The JSON schemas of a document: those of answers by name, closed against what they do not tell; those of bodies in place.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::shape::SchemaOf;

/// Makes the schemas of one document.
pub struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

impl Schemas {
    /// None so far.
    pub fn new() -> Self {
        let usual = SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            settings.definitions_path = "/components/schemas".into();
        });
        let bodies = usual.clone().with(|settings| settings.inline_subschemas = true);
        Self {
            answers: usual.for_serialize().into_generator(),
            bodies: bodies.for_deserialize().into_generator(),
        }
    }

    /// What the program writes.
    pub fn answer(&mut self, schema: SchemaOf) -> Value {
        let mut schema = schema(&mut self.answers).to_value();
        close(&mut schema);
        schema
    }

    /// What the program reads. A type that is read and written has two schemas, so only the other has its name.
    pub fn body(&mut self, schema: SchemaOf) -> Value {
        let mut schema = schema(&mut self.bodies).to_value();
        without_null_defaults(&mut schema);
        schema
    }

    /// Those that have a name.
    pub fn named(mut self) -> Map<String, Value> {
        let mut named = self.answers.take_definitions(true);
        named.values_mut().for_each(close);
        named
    }
}

/// The schema of a type that is written as one word, as those of parameters and headers are.
pub fn of<T: JsonSchema>() -> Schema {
    T::json_schema(&mut SchemaGenerator::default())
}

/// The keywords whose schemas describe the same value as the one that they stand in.
const IN_PLACE: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Says of each object inside that it has no other fields than those that are told, so that a field that somebody adds
/// without telling is found.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let open = !object.contains_key("additionalProperties") && !object.contains_key("unevaluatedProperties");
    if open && has_fields(object) {
        let together = IN_PLACE.iter().any(|keyword| object.contains_key(*keyword));
        let keyword = if together {
            "unevaluatedProperties"
        } else {
            "additionalProperties"
        };
        object.insert(keyword.to_owned(), false.into());
    }
    close_inside(object);
}

/// Closes the schemas of what is inside of the value, not those of the value itself.
fn close_inside(object: &mut Map<String, Value>) {
    if let Some(Value::Object(fields)) = object.get_mut("properties") {
        fields.values_mut().for_each(close);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(keyword) {
            close(inner);
        }
    }
    for branch in branches_mut(object) {
        close_inside(branch);
    }
}

/// That an absent field is `null` says nothing, and is what a page would show as an example.
fn without_null_defaults(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            object.values_mut().for_each(without_null_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null_defaults),
        _ => {}
    }
}

fn has_fields(object: &Map<String, Value>) -> bool {
    let branches = IN_PLACE
        .iter()
        .filter_map(|keyword| object.get(*keyword)?.as_array());
    object.contains_key("properties")
        || branches
            .flatten()
            .any(|branch| branch.as_object().is_some_and(has_fields))
}

fn branches_mut(object: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let branches = object
        .iter_mut()
        .filter(|(keyword, _)| IN_PLACE.contains(&keyword.as_str()));
    let branches = branches.filter_map(|(_, value)| value.as_array_mut());
    branches.flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::fields(json!({"properties": {"a": {}}}), "/additionalProperties")]
    #[case::inner(json!({"properties": {"a": {"properties": {}}}}), "/properties/a/additionalProperties")]
    #[case::listed(json!({"items": {"properties": {}}}), "/items/additionalProperties")]
    #[case::mapped(json!({"additionalProperties": {"properties": {}}}), "/additionalProperties/additionalProperties")]
    #[case::together(json!({"properties": {}, "oneOf": [{"properties": {}}]}), "/unevaluatedProperties")]
    #[case::one_of(json!({"oneOf": [{"properties": {}}]}), "/unevaluatedProperties")]
    #[case::in_a_branch(json!({"oneOf": [{"properties": {"a": {"properties": {}}}}]}), "/oneOf/0/properties/a/additionalProperties")]
    fn an_object_has_no_other_fields_than_those_told(#[case] mut schema: Value, #[case] place: &str) {
        close(&mut schema);
        assert_eq!(schema.pointer(place), Some(&json!(false)), "{schema}");
    }

    #[rstest]
    #[case(json!({"type": "string"}))]
    #[case(json!({"properties": {}, "additionalProperties": true}))]
    #[case(json!({"additionalProperties": {"type": "string"}}))]
    #[case(json!({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}))]
    fn others_are_left_alone(#[case] schema: Value) {
        let mut closed = schema.clone();
        close(&mut closed);
        assert_eq!(closed, schema);
    }
}
