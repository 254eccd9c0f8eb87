//! Killed in the middle of a purge: the next daemon goes on, and each row that goes is counted once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{audit_log, operator, purges, retention};
use switchyard::auth::access::Act;
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{AuditId, PurgeId, SystemIds};
use switchyard::domain::permission::Permission;
use switchyard::domain::purge::{Purge, PurgeStatus};
use switchyard::domain::random::SystemRandom;
use switchyard::domain::trusted_time::{Beat, TrustedTime};
use switchyard::store::{audit, trusted_time};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;

/// Enough for several daemons.
const CALLS: i64 = 30_000;
/// The same of entries of the audit log, each of which takes longer.
const ENTRIES: i64 = 6_000;
const KILLS: u64 = 6;

impl Host {
    /// What a daemon notes of the clock.
    pub async fn beat(&self) {
        let store = self.database.another_store(None).await;
        let mut tx = store.begin("beat").await.unwrap();
        let beat = Beat {
            number: 1,
            time: TrustedTime::first(SystemClock.now()),
        };
        trusted_time::put(&mut tx, &beat).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Calls of the first tenant that began two months ago, and as many that begin now.
    async fn calls(&self, backend: Backend) {
        let id = match backend {
            Sqlite => "randomblob(16)",
            Postgres => "gen_random_uuid()",
        };
        let at = "(select max(created_at) from tenants)";
        for (word, since) in [("old", 60_i64 * 86_400_000_000), ("new", 0)] {
            self.ask(&format!(
                "with recursive n(n) as (select 1 union all select n + 1 from n where n < {CALLS}) \
                 insert into call_records (id, tenant_id, instance_id, call, direction, started_at, ended_at, duration, \
                 billable, disposition) select {id}, t.id, t.instance_id, '{word}' || n, 'internal', {at} - {since} + n, \
                 {at} - {since} + n, 0, 0, 'answered' from tenants t cross join n where t.domain = 'acme.example.com' \
                 returning 'x'"
            ))
            .await;
        }
    }

    /// What somebody did in the first tenant two months ago, before anybody did anything else.
    async fn entries(&self, backend: Backend) {
        self.say(backend, ENTRIES, None).await;
    }

    /// As many entries, each of which says this after.
    pub async fn say(&self, backend: Backend, count: i64, after: Option<Value>) {
        self.ask("delete from audit_entries returning action").await;
        let digest = match backend {
            Sqlite => "zeroblob(32)",
            Postgres => "decode(repeat('00', 32), 'hex')",
        };
        self.ask(&format!(
            "update audit_head set number = 0, digest = {digest} returning log"
        ))
        .await;
        let tenant = self.tenants[0].caller.tenant(Permission::AuditLogRead, Act::Read);
        let store = self.database.another_store(None).await;
        let mut tx = store.begin("entries").await.unwrap();
        for number in 0..count {
            let entry = AuditEntry {
                id: AuditId::fresh(&SystemIds),
                at: SystemClock.now() - SignedDuration::from_hours(60 * 24)
                    + SignedDuration::from_secs(number),
                actor: Actor::named(ActorKind::User, "ann@example.com"),
                operating_as: false,
                action: "extension.change".to_owned(),
                resource: "extension".to_owned(),
                target_id: number.to_string(),
                tenant_id: Some(tenant.unwrap()),
                before: None,
                after: after.clone(),
                reason: Some("asked by phone".to_owned()),
                request_id: None,
                address: None,
                agent: None,
            };
            audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Recordings of the first tenant, two months old, each of a channel `179000<number>.1`, `number` from 1001 on; gives their
    /// directory.
    pub async fn recordings(&self, files: i64) -> PathBuf {
        let directory = self.database_dir().join("recordings");
        let own = directory.join("acme.example.com");
        fs::create_dir_all(&own).unwrap();
        let modified = SystemTime::from(SystemClock.now() - SignedDuration::from_hours(60 * 24));
        for number in 1..=files {
            let file = File::create(own.join(format!("179000{}.1.wav", 1_000 + number))).unwrap();
            (&file).write_all(b"RIFF").unwrap();
            file.set_modified(modified).unwrap();
        }
        let settings = format!(
            "update instances set settings = json_set(settings, '$.recordings_dir', '{}') returning name",
            directory.display()
        );
        assert_eq!(self.ask(&settings).await.len(), 1);
        let at = "(select max(created_at) from tenants) - 5184000000000";
        self.ask(&format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {files}) \
             insert into recordings (id, tenant_id, instance_id, path, channel, bytes, written_at) select randomblob(16), t.id, \
             t.instance_id, 'acme.example.com/179000' || (1000 + n) || '.1.wav', '179000' || (1000 + n) || '.1', 4, {at} + n \
             from tenants t cross join n where t.domain = 'acme.example.com' returning path"
        ))
        .await;
        own
    }

    async fn left(&self, word: &str) -> i64 {
        let count = format!("select count(*) || '' from call_records where call like '{word}%'");
        self.ask(&count).await[0].parse().unwrap()
    }

    async fn report(&self, id: PurgeId) -> Purge {
        purges::find(&self.app, &self.tenants[0].caller, id)
            .await
            .unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn a20_a_purge_that_is_killed_goes_on_and_each_row_that_went_is_counted_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let host = Host::new(backend, 2).await;
    let caller = &host.tenants[0].caller;
    host.beat().await;
    host.calls(backend).await;
    let keep = serde_json::from_value(json!({"call_records": 30})).unwrap();
    retention::replace(&host.app, caller, keep, &IfMatch::Any)
        .await
        .unwrap();
    let asked = purges::request(&host.app, caller, &IfMatch::Any, None).await;
    let id = asked.unwrap().into_inner().id;
    let mut removed = vec![0];
    let deadline = Instant::now() + Duration::from_mins(2);
    for kill in 0..KILLS {
        let daemon = host.daemon();
        // Until it has gone on by more than one batch.
        while host.report(id).await.parts[0].removed < CALLS.min(removed[removed.len() - 1] + 500) {
            assert!(Instant::now() < deadline, "{:#?}", host.report(id).await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // At another place of what it does with a batch each time.
        tokio::time::sleep(Duration::from_millis(kill * 11)).await;
        assert!(daemon.kill());
        let report = host.report(id).await;
        let part = &report.parts[0];
        assert_eq!(part.found.unwrap().found, CALLS);
        assert_eq!(part.removed + host.left("old").await, CALLS, "{report:#?}");
        removed.push(part.removed);
        // Where the machine is slow to look, it may be through before the last ones.
        if report.status != PurgeStatus::Running {
            assert!(kill >= 2, "it was killed too late: {removed:?}");
            break;
        }
    }
    let _daemon = host.daemon();
    while host.report(id).await.status == PurgeStatus::Running {
        assert!(Instant::now() < deadline, "{:#?}", host.report(id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let report = host.report(id).await;
    assert_eq!(
        (report.status, report.parts[0].removed),
        (PurgeStatus::Done, CALLS)
    );
    assert_eq!((host.left("old").await, host.left("new").await), (0, CALLS));
    let told =
        host.ask("select action from audit_entries where action like 'compliance.purge%' order by number");
    assert_eq!(told.await, ["compliance.purge", "compliance.purge_end"]);
}

#[rstest]
#[tokio::test]
async fn a20_blanking_that_is_killed_goes_on_by_the_same_entry_and_the_log_holds(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let host = Host::new(backend, 2).await;
    let caller = &host.tenants[0].caller;
    host.beat().await;
    host.entries(backend).await;
    let keep = serde_json::from_value(json!({"audit_payloads": 30})).unwrap();
    retention::replace(&host.app, caller, keep, &IfMatch::Any)
        .await
        .unwrap();
    let asked = purges::request(&host.app, caller, &IfMatch::Any, None).await;
    let id = asked.unwrap().into_inner().id;
    let deadline = Instant::now() + Duration::from_mins(2);
    let daemon = host.daemon();
    while host.report(id).await.parts[0].removed < 400 {
        assert!(Instant::now() < deadline, "{:#?}", host.report(id).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(daemon.kill());
    let report = host.report(id).await;
    assert_eq!(report.status, PurgeStatus::Running, "it was killed too late");
    let platform = operator::platform(None);
    let log = audit_log::verify(&host.app, &platform, None).await.unwrap();
    assert!(log.ok, "{log:?}");
    assert_eq!(i64::try_from(log.blanked).unwrap(), report.parts[0].removed);
    let _daemon = host.daemon();
    while host.report(id).await.status == PurgeStatus::Running {
        assert!(Instant::now() < deadline, "{:#?}", host.report(id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = audit_log::verify(&host.app, &platform, None).await.unwrap();
    assert!(log.ok, "{log:?}");
    let report = host.report(id).await;
    assert_eq!((report.parts[0].removed, report.parts[0].kept), (ENTRIES, 0));
    assert_eq!(i64::try_from(log.blanked).unwrap(), ENTRIES);
    let told = host.ask("select action from audit_entries where action = 'compliance.purged'");
    assert_eq!(told.await.len(), 1);
}

/// A file that is removed comes back with no transaction.
#[tokio::test]
async fn a20_a_purge_of_recordings_that_is_killed_counts_each_file_once() {
    const FILES: i64 = 1_000;
    let host = Host::new(Sqlite, 2).await;
    let caller = &host.tenants[0].caller;
    let own = host.recordings(FILES).await;
    host.beat().await;
    let keep = serde_json::from_value(json!({"recordings": 30})).unwrap();
    retention::replace(&host.app, caller, keep, &IfMatch::Any)
        .await
        .unwrap();
    // The daemon asks for it by itself.
    let gone = || FILES - i64::try_from(fs::read_dir(&own).unwrap().count()).unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    let mut before = 0;
    for kill in 0..KILLS {
        let daemon = host.daemon();
        while gone() < FILES.min(before + 30) {
            assert!(Instant::now() < deadline, "{} have gone", gone());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(kill * 7)).await;
        assert!(daemon.kill());
        before = gone();
        let removed = host.ask("select removed || '' from purge_parts").await;
        let removed: i64 = removed[0].parse().unwrap();
        assert!((before - 20..=before).contains(&removed), "{removed} of {before}");
    }
    assert!(before > 0);
    let _daemon = host.daemon();
    while host.ask("select status from purges").await != ["done"] {
        assert!(Instant::now() < deadline, "{} have gone", gone());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(gone(), FILES);
    let counted = host
        .ask("select removed || ' ' || bytes || ' ' || kept from purge_parts")
        .await;
    assert_eq!(counted, [format!("{FILES} {} 0", 4 * FILES)]);
}

#[tokio::test]
async fn a20_the_daemon_looks_at_the_clock_as_soon_as_it_is_up() {
    let host = Host::new(Sqlite, 2).await;
    let seen = "select seen from trusted_time";
    let deadline = Instant::now() + Duration::from_mins(1);
    let daemon = host.daemon();
    while host.ask(seen).await.is_empty() {
        assert!(Instant::now() < deadline, "it does not look");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(daemon.kill());
    // A host whose clock is years ahead has beaten since.
    let ahead = "[{\"ahead\":4102444800000000,\"last\":0}]";
    host.ask(&format!(
        "update trusted_time set up = 0, seen = '{ahead}' returning clock"
    ))
    .await;
    let _daemon = host.daemon();
    while host.ask(seen).await == [ahead] {
        assert!(Instant::now() < deadline, "it believes another host's clock");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now = SystemClock.now();
    let read = retention::find(&host.app, &host.tenants[0].caller).await.unwrap();
    assert!(
        now.duration_since(read.time.time) < SignedDuration::from_mins(2),
        "{read:?}"
    );
}

#[rstest]
#[tokio::test]
async fn a20_the_running_daemon_asks_for_the_purge_by_itself(#[values(Sqlite, Postgres)] backend: Backend) {
    let host = Host::new(backend, 2).await;
    host.beat().await;
    host.calls(backend).await;
    host.ask("delete from call_records where call not like '%99' returning call")
        .await;
    let keep = serde_json::from_value(json!({"call_records": 30})).unwrap();
    retention::replace(&host.app, &host.tenants[0].caller, keep, &IfMatch::Any)
        .await
        .unwrap();
    let new = host.left("new").await;
    assert!(host.left("old").await > 0 && new > 0);
    let _daemon = host.daemon();
    let deadline = Instant::now() + Duration::from_mins(2);
    let ended = "select status from purges where ended_at is not null";
    while host.ask(ended).await.is_empty() {
        assert!(Instant::now() < deadline, "nobody has asked for it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((host.left("old").await, host.left("new").await), (0, new));
    let asked = "select actor_name from audit_entries where action = 'compliance.purge'";
    assert_eq!(host.ask(asked).await, ["system:auto"]);
}
