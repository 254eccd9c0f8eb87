//! The mailboxes of `voicemail.conf`: `number => PIN,name,e-mail,pager,options`, in contexts.

use secrecy::SecretString;

use super::objects::Objects;

/// Sections that are no contexts.
const NO_CONTEXTS: [&str; 2] = ["general", "zonemessages"];
/// Where a mailbox stands that is named without a context.
const DEFAULT_CONTEXT: &str = "default";

/// What is known of a mailbox.
pub struct Mailbox {
    /// Its PIN; none where it is empty.
    pub pin: Option<SecretString>,
    /// As its greeting may say.
    pub name: Option<String>,
    /// Where notices go.
    pub email: Option<String>,
}

/// All of them.
pub struct Mailboxes(Objects);

impl Mailboxes {
    /// Of what `voicemail.conf` makes.
    pub const fn new(objects: Objects) -> Self {
        Self(objects)
    }

    /// Programs that Asterisk would have run for more of them.
    pub fn programs(&self) -> impl Iterator<Item = &String> {
        self.0.programs.iter()
    }

    /// The one of that address, `number@context`.
    pub fn find(&self, address: &str) -> Option<Mailbox> {
        let (number, context) = address.split_once('@').unwrap_or((address, DEFAULT_CONTEXT));
        let contexts = self.0.all.iter();
        let line = contexts
            .filter(|object| object.name == context && !NO_CONTEXTS.contains(&context))
            .flat_map(|object| object.values(number))
            .last()?;
        let mut parts = line.split(',').map(str::trim);
        let mut next = || {
            let part = parts.next().filter(|part| !part.is_empty());
            part.map(str::to_owned)
        };
        // A hyphen before a PIN forbids its owner to change it.
        let pin = next().map(|pin| pin.trim_start_matches('-').to_owned().into());
        Some(Mailbox {
            pin,
            name: next(),
            email: next(),
        })
    }
}
