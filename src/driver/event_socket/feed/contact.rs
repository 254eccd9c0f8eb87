//! A phone that has signed in, as FreeSWITCH shows it in an event or in a profile's list.

use crate::domain::leg::{Contact, Endpoint, WireText};
use crate::driver::feed::News;
use crate::wire::esl::{self, Event};

/// What an event says of a phone; `None` where it is nobody's whom we know.
pub fn news(event: &Event) -> Option<News> {
    let subclass = event.subclass()?;
    let (user, host) = if subclass == "sofia::expire" {
        (event.get("user")?, event.get("host")?)
    } else {
        (event.get("from-user")?, event.get("from-host")?)
    };
    let contact = Contact {
        endpoint: Endpoint::parse(&format!("{user}@{host}"))?,
        name: WireText::of(event.get("call-id")?),
    };
    match subclass {
        "sofia::register" => Some(News::SignedIn(contact)),
        "sofia::unregister" | "sofia::expire" => Some(News::SignedOut(contact)),
        _ => None,
    }
}

/// A phone of the list.
pub fn listed(contact: &esl::Contact) -> Option<Contact> {
    Some(Contact {
        endpoint: Endpoint::parse(&contact.user)?,
        name: WireText::of(&contact.call_id),
    })
}
