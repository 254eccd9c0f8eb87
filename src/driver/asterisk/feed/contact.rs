//! A phone that has signed in, as Asterisk shows it in an event or in a list.

use crate::domain::digest::Digest;
use crate::domain::leg::{Contact, Endpoint, WireText};
use crate::driver::feed::News;
use crate::wire::ami::Message;

/// What an event says of a phone; `None` where it is nobody's whom we know.
pub fn news(message: &Message) -> Option<News> {
    let contact = contact(message.get("AOR")?, message.get("URI")?)?;
    Some(match message.get("ContactStatus")? {
        // It was asked for a sign of life and gave none: no call reaches it.
        "Removed" | "Unreachable" => News::SignedOut(contact),
        _ => News::SignedIn(contact),
    })
}

/// A phone of the list, if it can be reached.
pub fn listed(item: &Message) -> Option<Contact> {
    let is_there = item
        .get("Status")
        .is_none_or(|status| !status.starts_with("Unavail") && status != "Unreachable");
    let aor = item.get("ObjectName")?.split_once(";@").map(|(aor, _)| aor);
    let contact = contact(aor.or_else(|| item.get("Endpoint"))?, item.get("Uri")?)?;
    is_there.then_some(contact)
}

fn contact(aor: &str, uri: &str) -> Option<Contact> {
    Some(Contact {
        endpoint: Endpoint::parse(aor)?,
        // As a whole, however long it is: two that are cut alike would be one phone.
        name: WireText::of(&Digest::of(uri).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o10_two_phones_whose_addresses_begin_alike_are_two() {
        let long = format!("sip:1001@192.0.2.1:5060;transport=ws;{}", "x".repeat(200));
        let [one, other] =
            ["a", "b"].map(|end| contact("1001@acme.example.com", &format!("{long}{end}")).unwrap());
        assert_ne!(one, other);
        assert_eq!(Some(one), contact("1001@acme.example.com", &format!("{long}a")));
    }
}
