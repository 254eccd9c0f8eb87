//! What the running Asterisk serves, asked from outside with a reader that shares no code with the driver.

use std::collections::BTreeSet;

use super::support::ami::{Ami, Fields, field};
use super::world::{TestTenant, World};

/// The names of all endpoints.
pub fn endpoints(world: &World) -> BTreeSet<String> {
    named(&mut world.pbx.ami(), "PJSIPShowEndpoints", "ObjectName")
}

/// The mailboxes as `number@context`, without the marker.
pub fn mailboxes(world: &World) -> BTreeSet<String> {
    let events = world.pbx.ami().list("VoicemailUsersList", &[]);
    let name = |event: &Fields| {
        let context = field(event, "VMContext")?;
        (context != "switchyard-marker")
            .then(|| format!("{}@{context}", field(event, "VoiceMailbox").unwrap()))
    };
    events.iter().filter_map(name).collect()
}

/// The lines of a tenant's context.
pub fn dialplan(world: &World, tenant: &TestTenant) -> Vec<String> {
    let context = tenant.domain.as_str();
    let events = world.pbx.ami().list("ShowDialPlan", &[("Context", context)]);
    let line = |event: &Fields| {
        let exten = field(event, "Extension")?;
        Some(format!(
            "{exten} {} {}",
            field(event, "Application").unwrap_or_default(),
            field(event, "AppData").unwrap_or_default()
        ))
    };
    events.iter().filter_map(line).collect()
}

/// The caller id of an endpoint.
pub fn caller_id(world: &World, endpoint: &str) -> Option<String> {
    world.pbx.ami().caller_id(endpoint)
}

/// The modules that Asterisk says it has reloaded while `work` ran.
pub async fn reloads<T>(world: &World, work: impl Future<Output = T>) -> (BTreeSet<String>, T) {
    let mut ami = world.pbx.ami();
    ami.ask("Events", &[("EventMask", "system")]);
    let done = work.await;
    // Events come by themselves, soon after what they tell of.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let events = ami.events_until("Ping");
    let reloaded = events
        .iter()
        .filter(|event| field(event, "Event") == Some("Reload"))
        .map(|event| field(event, "Module").unwrap().to_owned())
        .collect();
    (reloaded, done)
}

fn named(ami: &mut Ami, action: &str, key: &str) -> BTreeSet<String> {
    let events = ami.list(action, &[]);
    events
        .iter()
        .filter_map(|event| field(event, key).map(str::to_owned))
        .collect()
}
