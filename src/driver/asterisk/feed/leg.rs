//! A channel as Asterisk shows it, in an event or in a list, as a leg.

use jiff::Timestamp;

use crate::domain::leg::{Endpoint, Leg, LegId, WireText};
use crate::domain::sip_domain::SipDomain;
use crate::driver::feed::News;
use crate::wire::ami::Message;

/// Asterisk's number for a channel that was answered.
const UP: &str = "6";
/// What stands where there is no number.
const NONE: [&str; 2] = ["", "<unknown>"];

/// The leg that an event or an item of a list shows; `None` where it names none. `is_new`: its extension is what was
/// dialled, and not yet what the dialplan made of it.
pub fn read(message: &Message, is_new: bool) -> Option<Leg> {
    let id = id(message, "Uniqueid")?;
    let call = self::id(message, "Linkedid")?;
    let name = Name::parse(message.get("Channel").unwrap_or_default());
    let named = name.domain().map(str::parse::<SipDomain>);
    let fields =
        ["AccountCode", "Context"].map(|key| message.get(key).unwrap_or_default().parse::<SipDomain>().ok());
    let mut domains: Vec<SipDomain> = Vec::new();
    for domain in [named.and_then(Result::ok)].into_iter().chain(fields).flatten() {
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    let dialled = message
        .get("Exten")
        .filter(|exten| is_new && !exten.is_empty() && *exten != "s");
    Some(Leg {
        created_at: begun(&id),
        id,
        call,
        domains,
        endpoint: name.endpoint(),
        is_local: name.is_local(),
        is_up: message.get("ChannelState") == Some(UP),
        number: number(message, "CallerIDNum"),
        connected: number(message, "ConnectedLineNum"),
        dialled: dialled.map(WireText::of),
        answered_at: None,
    })
}

/// The end of a leg.
pub fn ended(message: &Message) -> Option<News> {
    Some(News::Ended {
        id: id(message, "Uniqueid")?,
        cause: message.get("Cause").and_then(|cause| cause.trim().parse().ok()),
    })
}

fn id(message: &Message, key: &str) -> Option<LegId> {
    LegId::new(message.get(key)?)
}

fn number(message: &Message, key: &str) -> WireText {
    let said = message.get(key).unwrap_or_default();
    WireText::of(if NONE.contains(&said) { "" } else { said })
}

/// When a channel began: its id is `1795184873.12`, with the system's name and a hyphen before it where it has one.
fn begun(id: &LegId) -> Option<Timestamp> {
    let (before, _) = id.as_str().rsplit_once('.')?;
    let seconds = before.rsplit_once('-').map_or(before, |(_, seconds)| seconds);
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// `PJSIP/1001@acme.example.com-00000001`, `Local/1001@acme.example.com-00000001;2`
struct Name<'a> {
    technology: &'a str,
    /// What it was made for.
    called: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Self {
        let (technology, rest) = name.split_once('/').unwrap_or((name, ""));
        let called = rest.rsplit_once('-').map_or(rest, |(called, _)| called);
        Self { technology, called }
    }

    fn is_local(&self) -> bool {
        self.technology == "Local"
    }

    /// Behind the last `@`: before it may stand whatever somebody dialled.
    fn domain(&self) -> Option<&'a str> {
        self.called.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// Who is at its end, as far as the PBX has proven that: an endpoint's name is no caller's to choose.
    fn endpoint(&self) -> Option<Endpoint> {
        (self.technology == "PJSIP")
            .then(|| Endpoint::parse(self.called))
            .flatten()
    }
}
