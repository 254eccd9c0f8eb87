//! The macros that give every parsed type the same conversions and its JSON schema, so that none can be built unparsed.

/// Declares a newtype over `String` whose only way in is the given parse function.
///
/// The type gets `FromStr`, `TryFrom<String>`, `Display`, `AsRef<str>` and serde in both directions;
/// deserializing parses, so a value that came through serde is as valid as any other. A `schema` says of its text what
/// JSON Schema can say.
macro_rules! parsed_text {
    ($(#[doc = $doc:literal])* $name:ident, $parse:path $(, schema $schema:tt)?) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The value as it was parsed (normalised where the type says so).
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::invalid::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::invalid::Invalid;

            fn try_from(text: String) -> Result<Self, $crate::domain::invalid::Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::domain::parsed::text_schema!($(#[doc = $doc])* $name $(, $schema)?);
    };
}

/// Gives a type that is written as a text its JSON schema, with its documentation as the description.
macro_rules! text_schema {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $crate::domain::parsed::text_schema!($(#[doc = $doc])* $name, {});
    };
    ($(#[doc = $doc:literal])* $name:ident, $schema:tt) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = schemars::json_schema!($schema);
                schema.insert("type".to_owned(), "string".into());
                schema.insert("description".to_owned(), concat!($($doc),*).trim().into());
                schema
            }
        }
    };
}

/// Declares an enum with one lower-case word per variant, the same in JSON, in the database and on the
/// command line.
macro_rules! word_enum {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for the variant outside the program.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::invalid::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| {
                    $crate::domain::invalid::Invalid::new(concat!("must be one of: ", $("`", $word, "` "),+).trim_end())
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::invalid::Invalid;

            fn try_from(text: String) -> Result<Self, $crate::domain::invalid::Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        $crate::domain::parsed::text_schema!($(#[doc = $doc])* $name, { "enum": [$($word),+] });
    };
}

pub(crate) use {parsed_text, text_schema, word_enum};

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::str::FromStr;

    use jsonschema::Validator;
    use proptest::prelude::*;
    use schemars::{JsonSchema, SchemaGenerator};

    use crate::domain::audit_query::AuditWord;
    use crate::domain::contact::ContactText;
    use crate::domain::dial::{DialNumber, ExtensionNumber};
    use crate::domain::email::EmailAddress;
    use crate::domain::idempotency_key::IdempotencyKey;
    use crate::domain::instance::{AbsolutePath, EmergencyNumber, HostName, NodeName};
    use crate::domain::name::{
        DisplayName, InstanceName, IssuerName, KeyName, PersonName, RoleName, TenantName,
    };
    use crate::domain::reason::Reason;
    use crate::domain::sip_domain::SipDomain;
    use crate::domain::ticket_query::AssignedTo;
    use crate::domain::ticket_text::{TicketSubject, TicketText};

    fn schema<T: JsonSchema>() -> Validator {
        let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&schema).unwrap()
    }

    /// What is taken is as the schema says, and so is what is shown of it.
    fn taken<T: FromStr + Display + JsonSchema>(text: &str) -> Option<T> {
        let value = text.parse::<T>().ok()?;
        let schema = schema::<T>();
        for written in [text.to_owned(), value.to_string()] {
            assert!(
                schema.is_valid(&written.clone().into()),
                "{written:?} of {text:?}"
            );
        }
        Some(value)
    }

    /// The schema says all there is to it.
    fn exactly<T: FromStr + Display + JsonSchema>(text: &str) {
        let valid = schema::<T>().is_valid(&text.into());
        assert_eq!(taken::<T>(text).is_some(), valid, "{text:?}");
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ -~]{0,70}",
            "\\PC{0,70}",
            "[0-9+]{0,17}",
            "[a-z0-9-]{1,9}([.][a-z0-9-]{1,9}){0,3}",
            "[A-Za-z.+!$]{1,9}@[a-z0-9-]{1,9}([.][a-z0-9-]{1,9}){0,3}",
            "/[a-z./]{0,20}",
            "[\\t\\n\\r a-z\u{A0}\u{85}]{0,20}",
            "[\n a\u{AD}\u{200B}-\u{200E}]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn a_schema_says_what_is_parsed(text in text()) {
            exactly::<ExtensionNumber>(&text);
            exactly::<DialNumber>(&text);
            exactly::<EmergencyNumber>(&text);
            exactly::<InstanceName>(&text);
            exactly::<NodeName>(&text);
            exactly::<HostName>(&text);
            exactly::<IdempotencyKey>(&text);
            exactly::<TenantName>(&text);
            exactly::<PersonName>(&text);
            exactly::<RoleName>(&text);
            exactly::<KeyName>(&text);
            exactly::<ContactText>(&text);
            exactly::<IssuerName>(&text);
            exactly::<AuditWord>(&text);
            exactly::<TicketSubject>(&text);
            exactly::<TicketText>(&text);
            exactly::<AssignedTo>(&text);
            taken::<DisplayName>(&text);
            taken::<EmailAddress>(&text);
            taken::<SipDomain>(&text);
            taken::<AbsolutePath>(&text);
            if text.trim() == text {
                taken::<Reason>(&text);
            }
        }
    }

    #[test]
    fn a_schema_knows_each_character_that_no_name_holds() {
        let schema = schema::<TenantName>();
        let beyond = ('\u{1B000}'..='\u{1E000}').chain('\u{DFFF0}'..='\u{E1010}');
        for character in ('\0'..='\u{FFFF}').chain(beyond) {
            for text in [
                format!("a{character}z"),
                format!("{character}az"),
                format!("az{character}"),
            ] {
                let valid = schema.is_valid(&text.clone().into());
                assert_eq!(text.parse::<TenantName>().is_ok(), valid, "{text:?}");
            }
        }
    }
}
