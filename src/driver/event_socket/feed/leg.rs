//! A channel as FreeSWITCH shows it, in an event or in its table, as a leg.

use jiff::Timestamp;

use crate::domain::leg::{Endpoint, Leg, LegId, WireText};
use crate::domain::sip_domain::SipDomain;
use crate::driver::event_socket::halves::LOCAL;
use crate::driver::feed::News;
use crate::wire::esl::{Channel, Event};

/// What the names of SIP channels begin with.
const SIP: &str = "sofia/";
/// The profiles at which phones sign in. Who calls at any other is proven by nobody, whatever they say they are: what
/// operators call the profiles of their carriers is theirs to choose.
const INSIDE: [&str; 2] = ["sofia/internal/", "sofia/internal-ipv6/"];
/// The profiles that lead to carriers, with and without `-ipv6`: nobody at the other end is an extension.
const CARRIERS: &str = "sofia/external";
/// States of a channel that was hung up, as the table shows it until all is written down of it.
const OVER: [&str; 4] = ["CS_HANGUP", "CS_REPORTING", "CS_DESTROY", "CS_NONE"];

/// What both forms say.
struct Shown<'a> {
    id: &'a str,
    call: &'a str,
    name: &'a str,
    context: &'a str,
    presence: &'a str,
    /// What the dialplan or the directory says of the channel.
    domain: Option<&'a str>,
    is_inbound: bool,
    is_up: bool,
    caller: &'a str,
    called: &'a str,
    created: Option<Timestamp>,
    answered: Option<Timestamp>,
}

/// The leg of an event; `None` where it names none.
pub fn read(event: &Event) -> Option<Leg> {
    let text = |key| event.get(key).unwrap_or_default();
    let id = event.get("Unique-ID")?;
    leg(&Shown {
        id,
        call: event
            .get("Channel-Call-UUID")
            .filter(|call| !call.is_empty())
            .unwrap_or(id),
        name: text("Channel-Name"),
        context: text("Caller-Context"),
        presence: text("Channel-Presence-ID"),
        domain: event.get("variable_domain_name"),
        is_inbound: text("Call-Direction") == "inbound",
        is_up: text("Answer-State") == "answered",
        caller: text("Caller-Caller-ID-Number"),
        called: text("Caller-Destination-Number"),
        created: micros(text("Caller-Channel-Created-Time")),
        answered: micros(text("Caller-Channel-Answered-Time")),
    })
}

/// The leg of a row of the table; `None` where it is over, or names none. `domain`: what its events said, which no row does.
pub fn listed(channel: &Channel, domain: Option<&SipDomain>) -> Option<Leg> {
    if OVER.contains(&channel.state.as_str()) {
        return None;
    }
    leg(&Shown {
        id: &channel.uuid,
        call: if channel.call_uuid.is_empty() {
            &channel.uuid
        } else {
            &channel.call_uuid
        },
        name: &channel.name,
        context: &channel.context,
        presence: &channel.presence_id,
        domain: domain.map(SipDomain::as_str),
        is_inbound: channel.direction == "inbound",
        is_up: matches!(channel.callstate.as_str(), "ACTIVE" | "HELD" | "UNHELD"),
        caller: &channel.cid_num,
        called: &channel.dest,
        created: seconds(&channel.created_epoch),
        answered: None,
    })
}

/// The end of a leg.
pub fn ended(event: &Event) -> Option<News> {
    Some(News::Ended {
        id: LegId::new(event.get("Unique-ID")?)?,
        cause: event
            .get("variable_hangup_cause_q850")
            .and_then(|cause| cause.trim().parse().ok()),
    })
}

fn leg(shown: &Shown<'_>) -> Option<Leg> {
    let is_outside = is_outside(shown.name, shown.is_inbound);
    let presence = Endpoint::parse(shown.presence).filter(|_| !is_outside);
    // Of one from outside, whose call it is says the dialplan, never the caller.
    let by_presence = shown.presence.rsplit_once('@').filter(|_| !is_outside);
    let named = [
        shown.domain,
        Some(shown.context),
        by_presence.map(|(_, domain)| domain),
    ];
    let mut domains: Vec<SipDomain> = Vec::new();
    for domain in named.into_iter().flatten().filter_map(|name| name.parse().ok()) {
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    // Who calls is named as the caller of both legs; who is called is at the end of the second.
    let (number, connected) = if shown.is_inbound {
        (shown.caller, shown.called)
    } else {
        (shown.called, shown.caller)
    };
    Some(Leg {
        id: LegId::new(shown.id)?,
        call: LegId::new(shown.call)?,
        domains,
        endpoint: presence,
        is_local: shown.name.starts_with(LOCAL),
        is_up: shown.is_up,
        number: WireText::of(number),
        connected: WireText::of(connected),
        dialled: (shown.is_inbound && !shown.called.is_empty()).then(|| WireText::of(shown.called)),
        created_at: shown.created,
        answered_at: shown.answered,
    })
}

/// Whether the presence id of a leg is what somebody outside wrote. Of a leg that leads out of the PBX it is the PBX's own.
fn is_outside(name: &str, is_inbound: bool) -> bool {
    if is_inbound {
        name.starts_with(SIP) && !INSIDE.iter().any(|profile| name.starts_with(profile))
    } else {
        name.starts_with(CARRIERS)
    }
}

/// Of microseconds since 1970, to the second, as the table has it; 0 is never.
fn micros(text: &str) -> Option<Timestamp> {
    let micros: i64 = text.parse().ok()?;
    (micros > 0)
        .then(|| Timestamp::from_second(micros / 1_000_000).ok())
        .flatten()
}

fn seconds(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok()?;
    (seconds > 0)
        .then(|| Timestamp::from_second(seconds).ok())
        .flatten()
}
