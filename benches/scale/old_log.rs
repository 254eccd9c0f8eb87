//! A tenant from long ago, of whom the audit log has much to tell.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::{App, tenants};
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::clock::{Clock, SystemClock};
use switchyard::domain::ids::{AuditId, IdSource as _, SystemIds, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::audit;

use super::Outcome;
use super::box_of_tenants::{Shadow, open, platform};
use super::load::person;

/// Its owner, but for the domain.
pub const OWNER: &str = "owner-of-log";
const AGE: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);
/// Between two entries.
const APART: SignedDuration = SignedDuration::from_secs(1);
/// Entries of one transaction while the log is made.
const AT_ONCE: u32 = 1_000;

/// A clock that is two years behind.
struct LongAgo;

impl Clock for LongAgo {
    fn now(&self) -> Timestamp {
        SystemClock.now() - AGE
    }
}

/// Makes the tenant with so many entries. Its first one tells of the tenant itself, which so has to be as old: no payload is
/// blanked before those that were written earlier are old.
pub async fn make(directory: &Path, entries: u32) -> Outcome<()> {
    let parts = open(directory, Shadow::Never).await?.parts;
    let app = App::new(
        parts.store.clone(),
        Arc::clone(&parts.engine),
        Arc::new(LongAgo),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::clone(&parts.deploys),
    );
    let input = tenants::TenantInput {
        name: Some("Long ago".to_owned()),
        domain: Some("long-ago.example.com".to_owned()),
        ..tenants::TenantInput::default()
    };
    let tenant = tenants::create(&app, &platform(), input).await?;
    let begun = LongAgo.now();
    let mut made = 0;
    while made < entries {
        let upto = entries.min(made + AT_ONCE);
        let mut tx = parts.store.begin("old_log").await?;
        for place in made..upto {
            let entry = entry(tenant.id, begun + APART * i32::try_from(place)?);
            audit::append(&mut tx, &entry, Salt::generate(&SystemRandom)?)?;
        }
        tx.commit().await?;
        made = upto;
    }
    let owner = UserInput {
        tenant_id: Some(tenant.id.to_string()),
        role: Some("owner".to_owned()),
        ..person(OWNER)
    };
    platform_users::create(&parts.app, &platform(), owner).await?;
    parts.store.close().await;
    Ok(())
}

fn entry(tenant: TenantId, at: Timestamp) -> AuditEntry {
    let extension = |ring_time| json!({"number": "1001", "name": "Ann", "ring_time": ring_time, "voicemail": {"enabled": true}});
    AuditEntry {
        id: AuditId::fresh(&SystemIds),
        at,
        actor: Actor {
            kind: ActorKind::User,
            id: Some(SystemIds.next()),
            name: "ann@example.com".to_owned(),
        },
        operating_as: false,
        action: "extension.change".to_owned(),
        resource: "extension".to_owned(),
        target_id: SystemIds.next().to_string(),
        tenant_id: Some(tenant),
        before: Some(extension(30)),
        after: Some(extension(31)),
        reason: Some("asked by phone".to_owned()),
        request_id: Some(SystemIds.next().to_string()),
        address: Some("192.0.2.1".to_owned()),
        agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
    }
}
