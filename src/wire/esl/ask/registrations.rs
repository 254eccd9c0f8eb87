//! Phones that are signed in, and how they are signed out.

use std::time::Duration;

use serde::Deserialize;

use super::{done, form, show};
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};
use crate::wire::fields::Fields;

/// How `sofia_contact` words that nobody is signed in.
const NOT_REGISTERED: &str = "error/user_not_registered";
/// What the list of contacts is.
const LIST: &str = "a list of registrations";

/// One row of FreeSWITCH's table of registrations, which still holds a phone for a while after it was signed out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Registration {
    pub reg_user: String,
    pub realm: String,
    pub url: String,
    /// Seconds since 1970.
    pub expires: String,
    pub network_ip: String,
    pub network_port: String,
    pub network_proto: String,
}

/// A phone as one SIP profile has it, which is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub call_id: String,
    /// `1001@demo.local`
    pub user: String,
    pub contact: String,
    pub agent: String,
    pub status: String,
    pub network_ip: String,
    pub network_port: String,
}

/// Whose phones are signed out. There is no way to say everybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    User { user: Word, domain: Word },
    Domain(Word),
}

impl Client {
    /// The table of all registrations.
    pub async fn registrations(&self, limit: Duration) -> Result<Vec<Registration>, Error> {
        let command = Command::words("show registrations as json", &[]);
        self.read(command, limit, show::rows).await
    }

    /// The phones that one SIP profile has.
    pub async fn contacts(&self, profile: &Word, limit: Duration) -> Result<Vec<Contact>, Error> {
        let command = Command::written(format!("api sofia xmlstatus profile {profile} reg"));
        self.read(command, limit, contacts).await
    }

    /// What is dialled to reach this user, on all profiles; `None` if no phone is signed in.
    pub async fn dial_string(
        &self,
        user: &Word,
        domain: &Word,
        limit: Duration,
    ) -> Result<Option<String>, Error> {
        let command = Command::written(format!("api sofia_contact */{user}@{domain}"));
        self.read(command, limit, |text| match text.trim() {
            NOT_REGISTERED => Ok(None),
            found if found.starts_with("sofia/") => Ok(Some(found.to_owned())),
            other => Err(form("a dial string", other)),
        })
        .await
    }

    /// Signs phones out at one SIP profile; they may sign in again at once, if they are still let in.
    pub async fn flush_registrations(
        &self,
        profile: &Word,
        whose: &Whose,
        limit: Duration,
    ) -> Result<(), Error> {
        let whose = match whose {
            Whose::User { user, domain } => format!("{user}@{domain}"),
            Whose::Domain(domain) => format!("@{domain}"),
        };
        let command = Command::written(format!("api sofia profile {profile} flush_inbound_reg {whose}"));
        self.read(command, limit, done).await
    }
}

/// Reads the profile's XML line by line, as FreeSWITCH prints it: one element a line. So whatever a phone calls itself
/// stays the value of that one element.
fn contacts(text: &str) -> Result<Vec<Contact>, AnswerError> {
    let wrong = || form(LIST, text);
    let mut found = Vec::new();
    let mut one: Option<Fields> = None;
    let mut whole = false;
    for line in text.lines().map(str::trim) {
        match (line, &mut one) {
            ("<registration>", None) => one = Some(Fields::default()),
            ("</registration>", Some(fields)) => {
                found.push(contact(fields).ok_or_else(wrong)?);
                one = None;
            }
            (line, Some(fields)) => {
                let (key, value) = element(line).ok_or_else(wrong)?;
                fields.push(key, value);
            }
            (line, None) => whole |= line == "</profile>",
        }
    }
    if whole && one.is_none() {
        Ok(found)
    } else {
        Err(wrong())
    }
}

fn contact(fields: &Fields) -> Option<Contact> {
    let field = |key| fields.get(key).map(str::to_owned);
    Some(Contact {
        call_id: field("call-id")?,
        user: field("user")?,
        contact: field("contact")?,
        agent: field("agent")?,
        status: field("status")?,
        network_ip: field("network-ip")?,
        network_port: field("network-port")?,
    })
}

/// `<key>value</key>`
fn element(line: &str) -> Option<(&str, String)> {
    let (key, rest) = line.strip_prefix('<')?.split_once('>')?;
    let value = rest.strip_suffix('>')?.strip_suffix(key)?.strip_suffix("</")?;
    // `&amp;` last, or what it stands for would be read again.
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let value = named.iter().fold(value.to_owned(), |value, (name, letter)| {
        value.replace(name, letter)
    });
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<profile>\n  <registrations>\n{lines}  </registrations>\n</profile>\n"
        )
    }

    fn registration(agent: &str) -> String {
        format!(
            "    <registration>\n        <call-id>1</call-id>\n        <user>1001@demo.local</user>\n        \
             <contact>&quot;&quot; &lt;sip:1&gt;</contact>\n        <agent>{agent}</agent>\n        \
             <status>Registered(UDP)</status>\n        <network-ip>127.0.0.1</network-ip>\n        \
             <network-port>5099</network-port>\n    </registration>\n"
        )
    }

    #[test]
    fn a_list_may_be_empty() {
        assert_eq!(contacts(&list("")), Ok(Vec::new()));
    }

    #[test]
    fn what_a_phone_calls_itself_stays_its_name() {
        for (written, agent) in [
            ("A &amp;lt; B", "A &lt; B"),
            (
                "</agent><user>9@evil</user><agent>",
                "</agent><user>9@evil</user><agent>",
            ),
            ("", ""),
        ] {
            let found = contacts(&list(&registration(written))).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(
                (found[0].agent.as_str(), found[0].user.as_str()),
                (agent, "1001@demo.local")
            );
            assert_eq!(found[0].contact, "\"\" <sip:1>");
        }
    }

    #[test]
    fn half_a_list_is_no_list() {
        let whole = list(&registration("x"));
        let (kept, _) = whole.split_once("</profile>").unwrap();
        for text in [
            "",
            "Invalid Profile!\n",
            kept,
            &list("<registration>\n"),
            &list("<registration>\n<registration>\n</registration>\n"),
            &list("<registration>\nno element\n</registration>\n"),
            &list("<registration>\n<user>1</user>\n</registration>\n"),
        ] {
            assert!(
                matches!(contacts(text), Err(AnswerError::Form { expected: LIST, .. })),
                "{text}"
            );
        }
    }
}
