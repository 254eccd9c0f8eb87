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
