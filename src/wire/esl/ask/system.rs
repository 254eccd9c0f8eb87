//! FreeSWITCH itself: what it is, how it is, and its configuration read again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::directory::something;
use super::{form, yes_or_no};
use crate::wire::esl::client::unbuilt;
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

/// How FreeSWITCH is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it takes calls.
    pub ready: bool,
    pub version: String,
    pub sessions: Sessions,
}

/// Legs of calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sessions {
    /// Up now.
    pub active: u64,
    /// Up at the same time, at the most since the start.
    pub peak: u64,
    /// Since the start.
    pub total: u64,
    /// How many there may be.
    pub limit: u64,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    system_status: String,
    version: String,
    sessions: Counted,
}

#[derive(Deserialize)]
struct Counted {
    count: Sessions,
}

impl Client {
    /// How FreeSWITCH is.
    pub async fn status(&self, limit: Duration) -> Result<Status, Error> {
        let command = Command::words("json {\"command\":\"status\",\"data\":\"\"}", &[]);
        self.read(command, limit, status).await
    }

    /// The number of its version: `1.11.3-dev~64bit`.
    pub async fn version(&self, limit: Duration) -> Result<String, Error> {
        let command = Command::words("version", &[]);
        self.read(command, limit, version).await
    }

    /// The name of its host, with which some keys of FusionPBX's cache begin.
    pub async fn hostname(&self, limit: Duration) -> Result<Word, Error> {
        let command = Command::words("hostname", &[]);
        self.read(command, limit, |text| {
            Word::new(text.trim()).map_err(|_| form("the name of a host", text))
        })
        .await
    }

    /// Has FreeSWITCH read its static XML again. `Ok` says that the whole is XML, not what was found there. Two at a time
    /// load half of it: the caller sees to it that there is one.
    pub async fn reload_xml(&self, limit: Duration) -> Result<(), Error> {
        let command = Command::words("reloadxml", &[]);
        self.read(command, limit, reloaded).await
    }

    /// The value of a global variable, which XML sets and which stays until FreeSWITCH ends; `None` if it is empty or was
    /// never set. It is set while the files are read, so it says nothing of a document that was refused in the end.
    pub async fn global(&self, name: &Word, limit: Duration) -> Result<Option<String>, Error> {
        let command = Command::words("global_getvar", &[name]);
        something(self.request(command, limit).await)
    }

    /// All global variables, those with FreeSWITCH's own directories among them.
    pub async fn globals(&self, limit: Duration) -> Result<BTreeMap<String, String>, Error> {
        let command = Command::words("global_getvar", &[]);
        self.read(command, limit, |text| Ok(variables(text))).await
    }

    /// Whether a file is there, as FreeSWITCH itself sees it; a directory counts as one.
    pub async fn file_exists(&self, path: &str, limit: Duration) -> Result<bool, Error> {
        let command = Command::api(&format!("file_exists {path}")).map_err(|e| unbuilt("api", e))?;
        self.read(command, limit, yes_or_no).await
    }
}

fn variables(text: &str) -> BTreeMap<String, String> {
    let variable = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(variable).collect()
}

fn status(text: &str) -> Result<Status, AnswerError> {
    match serde_json::from_str(text) {
        Ok(Envelope { status, response }) if status == "success" => Ok(Status {
            ready: response.system_status == "ready",
            version: response.version,
            sessions: response.sessions.count,
        }),
        _ => Err(form("a status in JSON", text)),
    }
}

/// The answer starts with a yes even where the XML was refused; why stands in the brackets then.
pub(super) fn reloaded(text: &str) -> Result<(), AnswerError> {
    if text.trim() == "+OK [Success]" {
        return Ok(());
    }
    Err(form("+OK [Success]", text))
}

fn version(text: &str) -> Result<String, AnswerError> {
    let number = text.strip_prefix("FreeSWITCH Version ");
    let number = number.and_then(|rest| rest.split_whitespace().next());
    number
        .map(str::to_owned)
        .ok_or_else(|| form("FreeSWITCH Version …", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_number() {
        assert_eq!(
            version("FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)\n").unwrap(),
            "1.11.3-dev~64bit"
        );
        for other in ["", "FreeSWITCH Version ", "Asterisk 22"] {
            assert!(version(other).is_err(), "{other}");
        }
    }

    #[test]
    fn of_a_list_of_variables_each_line_is_one() {
        let read = variables("conf_dir=/etc/freeswitch\ndigit=a=b\nempty=\nno variable\n\n");
        let expected = [("conf_dir", "/etc/freeswitch"), ("digit", "a=b"), ("empty", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, BTreeMap::from(expected));
    }

    #[test]
    fn a_yes_without_success_is_no_yes() {
        assert_eq!(reloaded("+OK [Success]\n"), Ok(()));
        for text in [
            "+OK [[error near line 7]: unclosed tag <section>]\n",
            "+OK [Cannot Open log directory or XML Root!]\n",
            "+OK\n",
            "",
        ] {
            let got = text.trim().to_owned();
            let expected = "+OK [Success]";
            assert_eq!(reloaded(text), Err(AnswerError::Form { expected, got }));
        }
    }

    #[test]
    fn a_status_that_is_no_success_is_none() {
        for text in [
            "",
            "{}",
            r#"{"command":"status","status":"error","response":"no"}"#,
        ] {
            assert!(matches!(status(text), Err(AnswerError::Form { .. })), "{text}");
        }
    }
}
