//! Reads the objects inside of an input from objects only.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// For `#[serde(deserialize_with)]`: an object, or nothing.
///
/// Without it serde also takes a list, as the values of the fields in the order in which they happen to be declared.
pub fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_option(Optional(PhantomData))
}

struct Optional<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::extension_input::ExtensionInput;
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"voicemail":{}}"#, true)]
    #[case(r#"{"voicemail":null}"#, true)]
    #[case(r#"{"voicemail":[]}"#, false)]
    #[case(r#"{"voicemail":[true,"1234","a@example.org"]}"#, false)]
    #[case(r#"{"voicemail":"x"}"#, false)]
    fn a_list_of_values_is_no_object(#[case] json: &str, #[case] good: bool) {
        let read = serde_json::from_str::<ExtensionInput>(json);
        assert_eq!(read.is_ok(), good);
        if let Err(error) = read {
            assert!(error.to_string().contains("expected an object"), "{error}");
        }
    }
}
