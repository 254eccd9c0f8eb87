//! Texts from a disk as they may be shown: without what signs in, whoever wrote them.

use serde_json::Value;

use crate::domain::artifact::Artifact;

/// Begins a key or a certificate, whose lines look like nothing in particular.
const ARMOUR: &str = "-----BEGIN";
/// What a key is called that holds a secret.
const SECRETS: [&str; 6] = ["pass", "secret", "digest", "cred", "token", "a1-hash"];
/// What a user's settings hold, whatever they are called: the digest that its phone signs in with among them.
const SETTING: &str = "extension_setting_value";
/// The digits of what phones sign in with.
const DIGEST: usize = 32;
/// What is shown in place of it.
const HIDDEN: &str = "(hidden)";
/// A word alone on its line that is as long as this may be a key.
const LIKE_A_KEY: usize = 20;

/// Without what signs in: whatever a key that sounds like it holds, and the PIN of each mailbox.
pub(super) fn masked(file: Artifact, text: &str) -> String {
    match file {
        Artifact::Pjsip | Artifact::Extensions | Artifact::Voicemail => {
            without(text, |line| hidden(file, line))
        }
        Artifact::ExtensionRows | Artifact::VoicemailRows | Artifact::DialplanRows => {
            text.lines().map(|line| masked_row(line) + "\n").collect()
        }
        Artifact::DirectoryXml | Artifact::DialplanXml => without(text, hidden_xml),
    }
}

/// A row of a database: what is no row is not shown at all.
fn masked_row(line: &str) -> String {
    let Ok(mut row) = serde_json::from_str::<Value>(line) else {
        return HIDDEN.to_owned();
    };
    let values = row.get_mut("values").and_then(Value::as_object_mut);
    for (column, value) in values.into_iter().flatten() {
        let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
        if !empty && (is_secret(column) || column == SETTING) {
            *value = HIDDEN.into();
        }
    }
    row.to_string()
}

/// A text of somebody else's that lies beside ours, and may be a copy of one; `None` where it cannot be shown.
pub(super) fn foreign(text: &str) -> Option<String> {
    let is_mailbox = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
    };
    let shown = without(text, |line| {
        let like = if is_mailbox(line) {
            Artifact::Voicemail
        } else {
            Artifact::Pjsip
        };
        let whole = is_secret(line) || has_digest(line) || is_like_a_key(line);
        hidden(like, line).or(whole.then_some(("", "\n")))
    });
    (!text.contains(ARMOUR)).then_some(shown)
}

fn without<'a>(text: &'a str, hidden: impl Fn(&'a str) -> Option<(&'a str, &'a str)>) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match hidden(line) {
            Some((before, after)) => {
                shown.push_str(before);
                shown.push_str(HIDDEN);
                shown.push_str(after);
            }
            None => shown.push_str(line),
        }
    }
    shown
}

/// What stands before and after the secret of a line that holds one.
fn hidden(file: Artifact, line: &str) -> Option<(&str, &str)> {
    let end = if line.ends_with('\n') { "\n" } else { "" };
    if file == Artifact::Voicemail {
        // Asterisk takes `=` as well as `=>`.
        let equals = line.find('=')? + 1;
        let value = equals + usize::from(line.get(equals..)?.starts_with('>'));
        let comma = line.get(value..)?.find(',').map(|at| value + at);
        return Some((
            line.get(..value)?,
            comma.and_then(|at| line.get(at..)).unwrap_or(end),
        ));
    }
    let equals = line.find('=')?;
    is_secret(line.get(..equals)?).then_some((line.get(..=equals)?, end))
}

/// What stands before and after what a line of XML may hold of a secret: from its first value on, since somebody may have
/// written it in any order, or broken it so that no value of it can be told.
fn hidden_xml(line: &str) -> Option<(&str, &str)> {
    let end = if line.ends_with('\n') { "\n" } else { "" };
    (is_secret(line) || has_digest(line)).then(|| {
        let value = line.find("value").unwrap_or_default();
        (line.get(..value).unwrap_or_default(), end)
    })
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRETS.iter().any(|word| key.contains(word))
}

fn has_digest(line: &str) -> bool {
    let mut digits = line.split(|c: char| !c.is_ascii_hexdigit());
    digits.any(|digits| digits.len() >= DIGEST)
}

fn is_like_a_key(line: &str) -> bool {
    let word = line.trim().trim_end_matches('=');
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_-.".contains(&byte);
    word.len() >= LIKE_A_KEY && word.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let pjsip = "[1001]\ntype=auth\npassword_digest=MD5:abc\nPassword = clear\nrealm=x";
        assert_eq!(
            masked(Artifact::Pjsip, pjsip),
            "[1001]\ntype=auth\npassword_digest=(hidden)\nPassword =(hidden)\nrealm=x"
        );
        assert_eq!(
            masked(
                Artifact::Voicemail,
                "1001 => -1234,Ann\n1002 =>99\n1003 = 12,Bob\n[x]\n"
            ),
            "1001 =>(hidden),Ann\n1002 =>(hidden)\n1003 =(hidden),Bob\n[x]\n"
        );
    }

    #[test]
    fn no_secret_is_shown_of_xml_however_it_was_written() {
        let hash = "0123456789abcdef0123456789abcdef";
        let text = format!(
            "<user id=\"1001\">\n<param name=\"a1-hash\" value=\"{hash}\"/>\n<param value=\"12\" name=\"vm-password\"/>\n\
             <param name=\n\"a1-hash\"\nvalue='{hash}'/><variable name=\"x\" value=\"y\"/>\n</user>"
        );
        assert_eq!(
            masked(Artifact::DirectoryXml, &text),
            "<user id=\"1001\">\n<param name=\"a1-hash\" (hidden)\n<param (hidden)\n<param name=\n(hidden)\n(hidden)\n</user>"
        );
        assert!(!foreign(&text).unwrap().contains(hash));
    }

    #[test]
    fn a_row_shows_no_secret_and_says_where_there_is_none() {
        let text = r#"{"table":"v_extensions","id":"1","values":{"extension":"1001","password":""}}
{"table":"v_extensions","id":"1","values":{"password":"clear"}}
{"table":"v_extension_settings","id":"2","values":{"extension_setting_value":"0123"}}
{"table":"v_voicemails","id":"3","values":{"voicemail_password":"1234","voicemail_mail_to":null}}
half of a row with 1234
{"marker":"sy-1"}
"#;
        let shown = masked(Artifact::ExtensionRows, text);
        assert_eq!(
            shown,
            r#"{"id":"1","table":"v_extensions","values":{"extension":"1001","password":""}}
{"id":"1","table":"v_extensions","values":{"password":"(hidden)"}}
{"id":"2","table":"v_extension_settings","values":{"extension_setting_value":"(hidden)"}}
{"id":"3","table":"v_voicemails","values":{"voicemail_mail_to":null,"voicemail_password":"(hidden)"}}
(hidden)
{"marker":"sy-1"}
"#
        );
    }

    #[test]
    fn a_text_of_somebody_else_shows_neither_secrets_nor_pins_nor_keys() {
        let text = "[1001]\npassword_digest=MD5:abc\n1001 => -1234,Ann\nexten => 100,1,Answer()\n";
        assert_eq!(
            foreign(text).unwrap(),
            "[1001]\npassword_digest=(hidden)\n1001 =>(hidden),Ann\nexten => 100,1,Answer()\n"
        );
        let text = "my password is apples\n0123456789abcdef0123456789abcdef\nallow=ulaw,alaw,opus,g722\n";
        assert_eq!(
            foreign(text).unwrap(),
            "(hidden)\n(hidden)\nallow=ulaw,alaw,opus,g722\n"
        );
        assert_eq!(foreign("-----BEGIN PRIVATE KEY-----\nabc\n"), None);
    }
}
