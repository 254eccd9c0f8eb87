//! Texts in a JSON value.

use serde_json::Value;

/// Whether a text in it is one of these, as a whole.
#[must_use]
pub fn holds(value: &Value, texts: &[&str]) -> bool {
    match value {
        Value::String(text) => texts.contains(&text.as_str()),
        Value::Array(values) => values.iter().any(|value| holds(value, texts)),
        Value::Object(fields) => fields.values().any(|value| holds(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_stands_and_as_a_whole_only() {
        let value = json!({"a": [1, {"b": "one"}], "two": null});
        assert!(holds(&value, &["zero", "one"]));
        for not in ["on", "two", "a", "1", ""] {
            assert!(!holds(&value, &[not]), "{not}");
        }
    }
}
