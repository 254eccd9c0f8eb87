//! Ending the calls of tenants that are served no more.

use std::collections::BTreeSet;

use super::rights::ActionName;
use super::session::Session;
use crate::domain::sip_domain::SipDomain;
use crate::driver::{DriverError, EndedCalls};
use crate::wire::ami::Message;

/// Hangs up every channel of these tenants.
///
/// A phone of theirs can make no new call by now: its endpoint is gone, the channels that were up are not.
pub async fn end(session: &Session, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
    let Some(channels) = session.list(ActionName::CoreShowChannels, &[]).await? else {
        return Ok(EndedCalls::default());
    };
    let mut calls = EndedCalls::default();
    for channel in channels.events.iter().filter(|channel| is_of(channel, domains)) {
        let Some(name) = channel.get("Channel") else {
            continue;
        };
        match session.ask(ActionName::Hangup, &[("Channel", name)]).await {
            Ok(_) => calls.ended += 1,
            // It has ended by itself meanwhile, most often with its other half.
            Err(DriverError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(calls)
}

/// By the whole domain, never by a part of it: that of another tenant may begin or end the same.
fn is_of(channel: &Message, domains: &BTreeSet<SipDomain>) -> bool {
    let named = [
        channel.get("Channel").and_then(domain_in_name),
        channel.get("Context"),
        channel.get("AccountCode"),
    ];
    let mut named = named.into_iter().flatten();
    named.any(|name| domains.iter().any(|domain| domain.as_str() == name))
}

/// `acme.example.com` of `PJSIP/1001@acme.example.com-00000001`, and of `Local/1001@acme.example.com-00000001;2`, which
/// may be in a context that all tenants share.
fn domain_in_name(channel: &str) -> Option<&str> {
    let (_, named) = channel.split_once('/')?;
    let (called, _) = named.rsplit_once('-')?;
    called.split_once('@').map(|(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o29_a_channel_belongs_to_a_tenant_by_its_whole_domain() {
        assert_eq!(
            domain_in_name("PJSIP/1001@acme.example.com-0000002a"),
            Some("acme.example.com")
        );
        assert_eq!(
            domain_in_name("PJSIP/1001@a-b.example-0000002a"),
            Some("a-b.example")
        );
        assert_eq!(domain_in_name("PJSIP/trunk-0000002a"), None);
        assert_eq!(
            domain_in_name("Local/*43@acme.example.com-0000002a;1"),
            Some("acme.example.com")
        );
    }
}
