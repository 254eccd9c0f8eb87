//! Users as FreeSWITCH serves them, wherever it has them from.

use std::time::Duration;

use super::{form, yes_or_no};
use crate::wire::esl::command::Command;
use crate::wire::esl::{Client, Error, Word};

/// How FreeSWITCH words that no such element stands in its document.
const NOT_THERE: &str = "can't find anything";
/// How FreeSWITCH words that a function printed nothing.
const NOTHING: &str = "-ERR no reply";

/// Where in a user's XML something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// An attribute of the element itself.
    Attr,
    Param,
    Var,
}

impl Client {
    /// Whether a lookup finds this user.
    pub async fn user_exists(&self, user: &Word, domain: &Word, limit: Duration) -> Result<bool, Error> {
        let command = Command::words("user_exists id", &[user, domain]);
        self.read(command, limit, yes_or_no).await
    }

    /// What a lookup finds under `name`; `None` if there is no such user, no such entry, or nothing in it.
    pub async fn user_data(
        &self,
        user: &Word,
        domain: &Word,
        kind: Attribute,
        name: &Word,
        limit: Duration,
    ) -> Result<Option<String>, Error> {
        let kind = match kind {
            Attribute::Attr => "attr",
            Attribute::Param => "param",
            Attribute::Var => "var",
        };
        let command = Command::written(format!("api user_data {user}@{domain} {kind} {name}"));
        something(self.request(command, limit).await)
    }

    /// The element of a section of FreeSWITCH's document that has this name as its attribute `name`, as XML; `None` if there
    /// is none. What is looked up elsewhere, such as in FusionPBX's database, is not found.
    pub async fn located(
        &self,
        section: &Word,
        element: &Word,
        name: &Word,
        limit: Duration,
    ) -> Result<Option<String>, Error> {
        let command = Command::written(format!("api xml_locate {section} {element} name {name}"));
        self.read(command, limit, |text| match text.trim() {
            NOT_THERE => Ok(None),
            found if found.starts_with('<') => Ok(Some(found.to_owned())),
            other => Err(form("an element of XML", other)),
        })
        .await
    }
}

/// What a function printed, where it may print nothing.
pub(super) fn something(answer: Result<String, Error>) -> Result<Option<String>, Error> {
    match answer {
        Ok(text) => Ok(Some(text)),
        Err(Error::Refused { message, .. }) if message == NOTHING => Ok(None),
        Err(error) => Err(error),
    }
}
