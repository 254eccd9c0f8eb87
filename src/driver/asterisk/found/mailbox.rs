//! The mailboxes of `voicemail.conf`: `number => PIN,name,e-mail,pager,options`, in contexts.

use std::collections::BTreeMap;

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
pub struct Mailboxes {
    /// Context and number, with what stands behind them; of a number that is there twice the last.
    lines: BTreeMap<(String, String), String>,
    programs: Vec<String>,
}

impl Mailboxes {
    /// Of what `voicemail.conf` makes.
    pub fn new(objects: Objects) -> Self {
        let contexts = objects
            .all()
            .filter(|object| !NO_CONTEXTS.contains(&object.name.as_str()));
        let lines = contexts.flat_map(|context| {
            let boxes = context.entries();
            boxes.map(|(number, line)| ((context.name.clone(), number.to_owned()), line.to_owned()))
        });
        Self {
            lines: lines.collect(),
            programs: objects.programs,
        }
    }

    /// Programs that Asterisk would have run for more of them.
    pub fn programs(&self) -> impl Iterator<Item = &String> {
        self.programs.iter()
    }

    /// The one of that address, `number@context`.
    pub fn find(&self, address: &str) -> Option<Mailbox> {
        let (number, context) = address.split_once('@').unwrap_or((address, DEFAULT_CONTEXT));
        let line = self.lines.get(&(context.to_owned(), number.to_owned()))?;
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
