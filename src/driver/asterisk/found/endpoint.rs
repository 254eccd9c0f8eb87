//! One `endpoint` of `pjsip.conf`, with its `auth`, `aor`, `transport` and mailbox, as an extension.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::lost;
use super::mailbox::{Mailbox, Mailboxes};
use super::objects::{Object, Objects};
use crate::domain::codec::Codec;
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension_input::{CallerIdInput, ExtensionInput, VoicemailInput};
use crate::domain::found::{FoundAside, FoundExtension, FoundSecret, tidy_name};
use crate::domain::secret::Ha1;

/// The realm of an Asterisk that nobody told otherwise.
const DEFAULT_REALM: &str = "asterisk";
/// The most phones that an extension of ours may have.
const MOST_CONTACTS: i64 = 10;
/// How far whoever is brought in may call: what a dialplan allows nobody can read from it, and nobody may call further than before.
const CLASS: &str = "internal";
/// What the contexts begin with that only our own endpoints name.
const OUR_CONTEXTS: &str = "switchyard-";

/// What endpoints refer to.
pub struct Site<'a> {
    objects: &'a Objects,
    mailboxes: &'a Mailboxes,
    default_realm: &'a str,
}

impl<'a> Site<'a> {
    /// The site of these files.
    pub fn new(objects: &'a Objects, mailboxes: &'a Mailboxes) -> Self {
        let global = objects.all().find(|object| object.is("global"));
        let realm = global.and_then(|global| global.value("default_realm"));
        Self {
            objects,
            mailboxes,
            default_realm: realm.unwrap_or(DEFAULT_REALM),
        }
    }

    /// The endpoint as an extension; the other way it is something else, which stays.
    pub fn extension(&self, endpoint: &Object) -> Result<FoundExtension, FoundAside> {
        let aside = |reason: &str| FoundAside {
            place: endpoint.place.clone(),
            name: endpoint.name.clone(),
            reason: reason.to_owned(),
        };
        let ours = endpoint.value("message_context");
        if ours.is_some_and(|context| context.starts_with(OUR_CONTEXTS)) {
            return Err(aside("it is served from here already"));
        }
        let Some(auth) = first(endpoint.value("auth")) else {
            return Err(aside(
                "nobody signs in as it (it has no `auth`): it is a trunk, or open to everybody",
            ));
        };
        let named = auth;
        let auth = self.named("auth", named);
        let username = auth.and_then(|auth| auth.value("username"));
        let number = [Some(endpoint.name.as_str()), username];
        let number = number
            .into_iter()
            .flatten()
            .find(|name| name.parse::<ExtensionNumber>().is_ok());
        let Some(number) = number else {
            return Err(aside(
                "neither its name nor the name that it signs in by is a number that an extension can have: 2 to 8 digits, no emergency number",
            ));
        };
        let mut notes = Vec::new();
        let secret = match auth {
            Some(auth) => self.secret(auth, number, &mut notes),
            None => FoundSecret::Lost(format!("the `auth` {named:?} that it names is not there")),
        };
        lost::tell(endpoint, &mut notes);
        let max_contacts = self.max_contacts(endpoint, &mut notes);
        let is_closed = lost::is_closed(endpoint, &mut notes);
        if is_closed {
            notes.push("nobody may sign in as it there: it comes disabled".to_owned());
        }
        notes.push(format!(
            "how far its context lets it call is not looked at: it calls {CLASS} numbers alone until its outbound_class is raised"
        ));
        let (mailbox, voicemail) = self.voicemail(endpoint, &mut notes);
        let (name, caller_id) = names(endpoint, number, mailbox.as_ref(), &mut notes);
        Ok(FoundExtension {
            place: endpoint.place.clone(),
            input: ExtensionInput {
                number: Some(number.to_owned()),
                name: Some(name),
                status: (is_closed || max_contacts.is_none()).then(|| "disabled".to_owned()),
                caller_id: Some(caller_id),
                voicemail,
                max_contacts,
                codecs: codecs(endpoint, &mut notes),
                transport: Some(self.transport(endpoint).to_owned()),
                outbound_class: Some(CLASS.to_owned()),
                ..ExtensionInput::default()
            },
            secret,
            pin: mailbox.and_then(|mailbox| mailbox.pin),
            notes,
        })
    }

    fn named<'s>(&'s self, kind: &str, name: &'s str) -> Option<&'s Object> {
        self.objects.named(name).find(|object| object.is(kind))
    }

    fn secret(&self, auth: &Object, number: &str, notes: &mut Vec<String>) -> FoundSecret {
        let username = auth.value("username").unwrap_or_default();
        let password = auth.value("password").filter(|password| !password.is_empty());
        let realm = auth.value("realm").unwrap_or(self.default_realm);
        if username != number {
            notes.push(format!(
                "its phones sign in as {username:?}; here they sign in by the number"
            ));
        }
        if password.is_some_and(|password| password.contains(char::REPLACEMENT_CHARACTER)) {
            return FoundSecret::None("its password is not UTF-8".to_owned());
        }
        let password = password.map(|password| SecretString::from(password.to_owned()));
        match (digest(auth, password.is_some()), password) {
            (None, Some(password)) => FoundSecret::Password(password),
            (Some(_), Some(password)) if username != number => FoundSecret::Password(password),
            (Some(ha1), Some(password)) if is_of(ha1, username, realm, &password) => FoundSecret::Password(password),
            (Some(_), None) if username != number => {
                FoundSecret::None("its digest is made for another name than its number".to_owned())
            }
            (Some(ha1), _) => FoundSecret::Digest {
                realm: realm.to_owned(),
                ha1: ha1.to_owned().into(),
            },
            (None, None) if auth.value("password_digest").is_some() => FoundSecret::None(
                "its `auth` has a digest that is none of MD5, and no password: what it is made of nobody knows".to_owned(),
            ),
            (None, None) => FoundSecret::None("its `auth` has neither a password nor an MD5 digest".to_owned()),
        }
    }

    fn voicemail(
        &self,
        endpoint: &Object,
        notes: &mut Vec<String>,
    ) -> (Option<Mailbox>, Option<VoicemailInput>) {
        let Some(address) = first(endpoint.value("mailboxes")) else {
            return (None, None);
        };
        let Some(mailbox) = self.mailboxes.find(address) else {
            notes.push(format!(
                "voicemail.conf has no mailbox {address}: it has none here"
            ));
            return (None, None);
        };
        let all = mailbox.email.as_deref();
        let mut emails = all.unwrap_or_default().split('|').map(str::trim);
        let email = emails.next().filter(|email| !email.is_empty());
        if emails.next().is_some() {
            notes.push("notices of its mailbox go to the first e-mail address alone".to_owned());
        }
        let input = VoicemailInput {
            enabled: Some(true),
            pin: None,
            email: email.map(str::to_owned),
        };
        (Some(mailbox), Some(input))
    }

    /// That of the first `aor` that a phone can sign in at; none where there is no such.
    fn max_contacts(&self, endpoint: &Object, notes: &mut Vec<String>) -> Option<i64> {
        let names = || lost::all(endpoint.value("aors"));
        let aors = || names().filter_map(|name| self.named("aor", name));
        if aors().any(|aor| aor.value("contact").is_some()) {
            notes.push("the fixed address of its phone is not kept (contact)".to_owned());
        }
        // Without the key Asterisk takes none.
        let mut counts = aors().filter_map(|aor| aor.value("max_contacts")?.parse::<i64>().ok());
        let Some(count) = counts.find(|count| *count > 0) else {
            notes.push(
                "no phone can sign in as it there (max_contacts of its `aors` is 0, or not there): it comes disabled".to_owned(),
            );
            return None;
        };
        if names().nth(1).is_some() {
            let aors = endpoint.value("aors").unwrap_or_default();
            notes.push(format!(
                "its phones share one address here, instead of aors={aors}"
            ));
        }
        if count > MOST_CONTACTS {
            notes.push(format!(
                "max_contacts={count} becomes one of 1 to {MOST_CONTACTS}"
            ));
        }
        Some(count.min(MOST_CONTACTS))
    }

    /// By what decides the media's encryption first, then by the transport that it names.
    fn transport(&self, endpoint: &Object) -> &'static str {
        let is = |key: &str, wanted: &str| {
            endpoint
                .value(key)
                .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        };
        if is("webrtc", "yes") || is("media_encryption", "dtls") {
            return "websocket";
        }
        let named = endpoint
            .value("transport")
            .and_then(|name| self.named("transport", name));
        match named.and_then(|transport| transport.value("protocol")) {
            Some("ws" | "wss") => "websocket",
            Some("tls") => "tls",
            _ if is("media_encryption", "sdes") => "tls",
            Some("tcp") => "tcp",
            _ => "udp",
        }
    }
}

/// What is told of a line that has Asterisk read a program's output.
pub fn program(line: &str) -> FoundAside {
    FoundAside {
        place: line.to_owned(),
        name: String::new(),
        reason: "a program is not run to find out what it writes; what it would add is not looked at"
            .to_owned(),
    }
}

/// What is told of an object that makes others.
pub fn wizard(object: &Object) -> FoundAside {
    FoundAside {
        place: object.place.clone(),
        name: object.name.clone(),
        reason: "what pjsip_wizard.conf makes is not looked at; have it stand in pjsip.conf as an endpoint with its auth and aor"
            .to_owned(),
    }
}

/// Its digest of MD5: the last, among those of other algorithms, wherever in one line. An older Asterisk asks `auth_type`
/// whether `md5_cred` or the password holds.
fn digest(auth: &Object, has_password: bool) -> Option<&str> {
    let all = auth.values("password_digest").flat_map(|value| value.split(','));
    let md5 = all.filter_map(|digest| {
        let (algorithm, digest) = digest.split_once(':').unwrap_or(("MD5", digest));
        algorithm
            .trim()
            .eq_ignore_ascii_case("MD5")
            .then(|| digest.trim())
    });
    let is_asked_for = auth
        .value("auth_type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("md5"));
    md5.last()
        .or_else(|| auth.value("md5_cred").filter(|_| is_asked_for || !has_password))
}

/// Whether a digest is that of a password: then the password is known.
fn is_of(ha1: &str, username: &str, realm: &str, password: &SecretString) -> bool {
    let number = username.parse::<ExtensionNumber>();
    number.is_ok_and(|number| {
        Ha1::of(&number, realm, password)
            .expose()
            .eq_ignore_ascii_case(ha1)
    })
}

/// The first of several values in one.
fn first(value: Option<&str>) -> Option<&str> {
    lost::all(value).next()
}

/// The name, and what is shown instead of name and number where that differs.
fn names(
    endpoint: &Object,
    number: &str,
    mailbox: Option<&Mailbox>,
    notes: &mut Vec<String>,
) -> (String, CallerIdInput) {
    let (shown, shown_number) = caller_id(endpoint.value("callerid").unwrap_or_default());
    let boxed = mailbox.and_then(|mailbox| mailbox.name.clone());
    let (name, changed) = tidy_name(shown.or(boxed).as_deref().unwrap_or(number));
    if changed {
        notes.push(format!("its name becomes {name:?}"));
    }
    let name = if name.is_empty() { number.to_owned() } else { name };
    let caller_id = CallerIdInput {
        name: None,
        number: shown_number.filter(|shown| shown != number),
    };
    (name, caller_id)
}

/// Name and number of `"name" <number>`, in which everything but one of them may be missing.
fn caller_id(text: &str) -> (Option<String>, Option<String>) {
    let (name, number) = match text.rsplit_once('<') {
        Some((name, number)) => (name, number.trim_end().strip_suffix('>').unwrap_or(number)),
        None if text.bytes().all(|b| b.is_ascii_digit()) => ("", text),
        None => (text, ""),
    };
    let name = name.trim();
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let name = quoted.map_or_else(
        || name.to_owned(),
        |name| name.replace("\\\"", "\"").replace("\\\\", "\\"),
    );
    let some = |text: String| (!text.is_empty()).then_some(text);
    (some(name), some(number.trim().to_owned()))
}

/// Its codecs in their order, and none where it takes the default or whatever there is.
fn codecs(endpoint: &Object, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let mut chosen: Vec<Codec> = Vec::new();
    let mut unknown = BTreeSet::new();
    for (key, value) in endpoint.entries() {
        let allows = key.eq_ignore_ascii_case("allow");
        if !allows && !key.eq_ignore_ascii_case("disallow") {
            continue;
        }
        for word in value.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            let (allows, word) = match word.strip_prefix('!') {
                Some(word) => (!allows, word),
                None => (allows, word.as_str()),
            };
            match word.parse::<Codec>() {
                Ok(codec) => {
                    chosen.retain(|there| *there != codec);
                    if allows {
                        chosen.push(codec);
                    }
                }
                Err(_) if word == "all" => {
                    chosen.clear();
                    unknown.clear();
                }
                Err(_) if allows => drop(unknown.insert(word.to_owned())),
                Err(_) => {}
            }
        }
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.into_iter().collect();
        notes.push(format!(
            "codecs that are not served here are left out: {}",
            names.join(", ")
        ));
    }
    (!chosen.is_empty()).then(|| chosen.iter().map(ToString::to_string).collect())
}
