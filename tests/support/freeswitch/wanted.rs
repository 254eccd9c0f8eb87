//! Which events a session has asked for.

use super::event::{Event, Form};

/// A session's wishes.
#[derive(Debug, Default)]
pub struct Wanted {
    form: Option<Form>,
    names: Vec<String>,
    subclasses: Vec<String>,
    /// If there is one, an event must meet one of them.
    filters: Vec<(String, String)>,
}

impl Wanted {
    /// `event json CHANNEL_CREATE CUSTOM sofia::register`: names of subclasses follow `CUSTOM`.
    pub fn listen(&mut self, rest: &str) -> String {
        let mut words = rest.split_whitespace().peekable();
        let form = match words.peek() {
            Some(&"json") => (Form::Json, "json"),
            _ => (Form::Plain, "plain"),
        };
        if words.peek().is_some_and(|word| ["json", "plain"].contains(word)) {
            words.next();
        }
        let mut custom = false;
        for word in words {
            if custom {
                self.subclasses.push(word.to_owned());
            } else if word.eq_ignore_ascii_case("CUSTOM") {
                custom = true;
            } else {
                self.names.push(word.to_ascii_uppercase());
            }
        }
        self.form = Some(form.0);
        format!("+OK event listener enabled {}", form.1)
    }

    pub fn filter(&mut self, rest: &str) -> String {
        let (header, value) = rest.split_once(' ').unwrap_or((rest, ""));
        self.filters.push((header.to_owned(), value.to_owned()));
        format!("+OK filter added. [{header}]=[{value}]")
    }

    pub fn stop(&mut self) -> &'static str {
        if self.form.is_none() {
            return "-ERR not listening for events";
        }
        *self = Self::default();
        "+OK no longer listening for events"
    }

    /// The message that carries an event, if it is wanted.
    pub fn message(&self, event: &Event) -> Option<Vec<u8>> {
        let form = self.form?;
        let name = event.get("Event-Name")?;
        let asked = if name == "CUSTOM" {
            let subclass = event.get("Event-Subclass").unwrap_or_default();
            self.subclasses.iter().any(|wanted| wanted == subclass)
        } else {
            self.names.iter().any(|wanted| wanted == name)
        };
        let all = self.names.iter().any(|wanted| wanted == "ALL");
        let meets = |(header, value): &(String, String)| event.get(header) == Some(value);
        let passes = self.filters.is_empty() || self.filters.iter().any(meets);
        ((asked || all) && passes).then(|| event.message(form))
    }
}
