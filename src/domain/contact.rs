//! How a user is reached besides by e-mail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::invalid::Invalid;
use super::name::{PLAIN_TEXT, plain_text};
use super::parsed::parsed_text;

parsed_text! {
    /// What somebody wrote down to be reached by: 1 to 100 characters on one line.
    ContactText, contact_text, schema { "minLength": 1, "maxLength": 100, "pattern": PLAIN_TEXT }
}

fn contact_text(text: &str) -> Result<String, Invalid> {
    plain_text(text)?;
    if (1..=100).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new("must have 1 to 100 characters"))
    }
}

/// The contact fields of a user; each may be absent.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// A telephone number, as people write it.
    pub phone: Option<ContactText>,
    /// A mobile number, as people write it.
    pub mobile: Option<ContactText>,
    /// What they do.
    pub title: Option<ContactText>,
}
