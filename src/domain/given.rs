//! Reads the fields of an input that may be left out, but not be `null`.

use serde::de::{Deserialize, Deserializer};

/// For `#[serde(deserialize_with)]` beside `#[serde(default)]`: what is there has a value.
///
/// Without it serde takes `null` for a field that was left out, which in a change would not be what it seems to ask for.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Input {
        #[serde(default, deserialize_with = "given")]
        name: Option<String>,
    }

    #[test]
    fn what_is_there_has_a_value() {
        let name = |json: &str| serde_json::from_str::<Input>(json).map(|input| input.name);
        assert_eq!(name("{}").unwrap(), None);
        assert_eq!(name(r#"{"name":"Ann"}"#).unwrap().as_deref(), Some("Ann"));
        assert!(name(r#"{"name":null}"#).is_err());
    }
}
