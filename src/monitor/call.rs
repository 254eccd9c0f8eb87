//! A call as it is shown, made of the legs that a PBX has of it.

use crate::domain::call::{Call, CallDirection, CallState};
use crate::domain::ids::{CallId, ExtensionId, InstanceId, TenantId};
use crate::domain::leg::{Leg, LegId, WireText};

use super::directory::Directory;

/// The call of these legs, of which there is at least one; `None` where there is none.
#[must_use]
pub fn of_legs(instance: InstanceId, link: &LegId, legs: &[&Leg], directory: &Directory) -> Option<Call> {
    let mut legs = legs.to_vec();
    // The one that the call began with, then as they came: so everybody sees the same.
    legs.sort_by(|one, other| order(one, link).cmp(&order(other, link)));
    let first = *legs.first()?;
    let tenant = legs.iter().find_map(|leg| directory.tenant_of(leg));
    // Nobody is at the end of a local half. Where there is nothing else, the halves are all that can be shown.
    let has_ends = legs.iter().any(|leg| !leg.is_local);
    let ends: Vec<&Leg> = legs
        .iter()
        .copied()
        .filter(|leg| !has_ends || !leg.is_local)
        .collect();
    let origin = *ends.first()?;
    let state = state(&ends);
    Some(Call {
        id: CallId::of(instance, link),
        instance_id: instance,
        link: link.clone(),
        tenant_id: tenant,
        from: from(origin),
        to: to(first, origin, &ends),
        direction: direction(origin, &ends, tenant, directory),
        state,
        started_at: legs.iter().filter_map(|leg| leg.created_at).min(),
        answered_at: answered_at(state, &ends),
        extension_ids: extensions(&ends, tenant, directory),
        legs: legs.iter().map(|leg| leg.id.clone()).collect(),
    })
}

fn order<'a>(leg: &'a Leg, link: &LegId) -> (bool, Option<jiff::Timestamp>, &'a LegId) {
    (leg.id != *link, leg.created_at, &leg.id)
}

fn from(origin: &Leg) -> WireText {
    // An extension may show another number than its own.
    let own = origin
        .endpoint
        .as_ref()
        .map(|endpoint| WireText::of(endpoint.number.as_str()));
    own.unwrap_or_else(|| origin.number.clone())
}

fn to(first: &Leg, origin: &Leg, ends: &[&Leg]) -> WireText {
    let dialled = [&first.dialled, &origin.dialled].into_iter().flatten().next();
    if let Some(dialled) = dialled {
        return dialled.clone();
    }
    match ends.iter().find(|leg| leg.id != origin.id) {
        Some(other) => from(other),
        None => origin.connected.clone(),
    }
}

/// Two have answered, or the only one there is: with a service of the PBX nobody is at the other end.
fn state(ends: &[&Leg]) -> CallState {
    let up = ends.iter().filter(|leg| leg.is_up).count();
    if up >= 2 || up == ends.len() {
        CallState::Answered
    } else {
        CallState::Ringing
    }
}

/// When the second of them answered, as far as that was heard.
fn answered_at(state: CallState, ends: &[&Leg]) -> Option<jiff::Timestamp> {
    if state != CallState::Answered {
        return None;
    }
    let mut times: Vec<Option<jiff::Timestamp>> = ends
        .iter()
        .filter(|leg| leg.is_up)
        .map(|leg| leg.answered_at)
        .collect();
    times.sort_unstable();
    let second = times.get(1).or(times.first());
    second.copied().flatten()
}

fn direction(origin: &Leg, ends: &[&Leg], tenant: Option<TenantId>, directory: &Directory) -> CallDirection {
    let is_own = |leg: &Leg| {
        let endpoint = leg.endpoint.as_ref();
        endpoint.is_some_and(|endpoint| tenant.is_some() && directory.tenant(&endpoint.domain) == tenant)
    };
    if !origin.is_local && !is_own(origin) {
        CallDirection::Inbound
    } else if ends.iter().any(|leg| !leg.is_local && !is_own(leg)) {
        CallDirection::Outbound
    } else {
        CallDirection::Internal
    }
}

fn extensions(ends: &[&Leg], tenant: Option<TenantId>, directory: &Directory) -> Vec<ExtensionId> {
    let Some(tenant) = tenant else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let endpoints = ends.iter().filter_map(|leg| leg.endpoint.as_ref());
    for endpoint in endpoints.filter(|endpoint| directory.tenant(&endpoint.domain) == Some(tenant)) {
        if let Some(id) = directory.extension(tenant, &endpoint.number)
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests;
