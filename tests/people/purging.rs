//! A purge from its preview to its report: what is older than a tenant keeps it is nowhere any more, and everything else is.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::{audit_log, operator, purge_work, purges, retention};
use switchyard::auth::caller::Caller;
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::call_part::CallPart;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::finding::Finding;
use switchyard::domain::ids::{
    AuditId, CallRecordId, DeploymentId, IdSource as _, PurgeId, RecordingId, RevisionId, SystemIds,
};
use switchyard::domain::purge::{Purge, PurgeStatus};
use switchyard::domain::random::SystemRandom;
use switchyard::domain::recording::FoundRecording;
use switchyard::domain::retention::{RetentionKind, RetentionPolicy};
use switchyard::domain::tenant::Tenant;
use switchyard::driver::spool::LANDMARK;
use switchyard::store::call_records::{self, OfCall};
use switchyard::store::{audit, deployments, recordings};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::gone::world;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::{all_rows, that_name};
use super::world::World;

/// So many days ago.
pub fn ago(days: i64) -> Timestamp {
    SystemClock.now() - SignedDuration::from_hours(24 * days)
}

/// Somebody of the host, in a tenant.
pub fn inside(tenant: &Tenant) -> Caller {
    operator::in_tenant(tenant, None)
}

impl World {
    /// Says for how long a tenant keeps what it has.
    pub async fn keep(&self, tenant: &Tenant, policy: serde_json::Value) -> RetentionPolicy {
        let input = serde_json::from_value(policy).unwrap();
        let replaced = retention::replace(&self.app, &inside(tenant), input, &IfMatch::Any).await;
        replaced.unwrap().policy
    }

    pub async fn purge(&self, tenant: &Tenant) -> PurgeId {
        let asked = purges::request(&self.app, &inside(tenant), &IfMatch::Any, None).await;
        asked.unwrap().into_inner().id
    }

    /// Does what a daemon does each time that it looks.
    pub async fn work(&self) {
        let (stop, mut setbacks) = (CancellationToken::new(), Setbacks::default());
        for _ in 0..100 {
            if !purge_work::work(&self.app, &mut setbacks, &stop).await.unwrap() {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    pub async fn report(&self, tenant: &Tenant, id: PurgeId) -> Purge {
        purges::find(&self.app, &inside(tenant), id).await.unwrap()
    }

    /// Of each part: its kind, and what was found, removed and kept.
    pub async fn counts(&self, tenant: &Tenant, id: PurgeId) -> Vec<(RetentionKind, i64, i64, i64)> {
        let purge = self.report(tenant, id).await;
        let of = purge.parts.iter().map(|part| {
            let found = part.found.map_or(-1, |found| found.found);
            (part.kind, found, part.removed, part.kept)
        });
        of.collect()
    }

    /// The directory of the recordings of a tenant.
    pub fn recorded(&self, tenant: &Tenant) -> PathBuf {
        let all = self.bench.folder.path().join("recordings");
        all.join(tenant.domain.as_str())
    }

    /// A call that began so many days ago, from somebody of this name.
    pub async fn call(&self, tenant: &Tenant, channel: &str, name: &str, days: i64) {
        let domain = tenant.domain.as_str();
        let told: CallPart = serde_json::from_value(json!({
            "key": format!("{channel}:1"), "channel": channel, "is_of_called": false, "left": false,
            "caller": {"number": "1001", "domain": domain}, "called": null, "from_number": "1001", "from_name": name,
            "to": "1777", "started": ago(days), "answered": null, "ended": ago(days), "disposition": "no_answer",
            "cause": null,
        }))
        .unwrap();
        let mut tx = self.store.begin("call").await.unwrap();
        let of = OfCall {
            id: CallRecordId::fresh(&SystemIds),
            tenant: tenant.id,
            instance: tenant.instance_id,
            call: &told.channel,
            is_rough: false,
        };
        call_records::keep(&mut tx, of, &told, |own| own == domain)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// A recording that was last written to so many days ago, with its file.
    pub async fn recording(&self, tenant: &Tenant, file: &str, days: i64) -> PathBuf {
        let path = self.recorded(tenant).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As whoever looks each half minute has made it.
        fs::write(self.recorded(tenant).with_file_name(LANDMARK), "").unwrap();
        fs::write(&path, "RIFF").unwrap();
        let modified = SystemTime::from(ago(days));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        let found = FoundRecording {
            path: format!("{}/{file}", tenant.domain).parse().unwrap(),
            bytes: 4,
            written_at: ago(days),
        };
        let mut tx = self.store.begin("recording").await.unwrap();
        let id = RecordingId::fresh(&SystemIds);
        recordings::put(&mut tx, id, tenant.id, tenant.instance_id, &found)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        path
    }

    /// A deploy that was refused so many days ago, in these words.
    pub async fn refused(&self, tenant: &Tenant, words: &str, days: i64) {
        let deployment = Deployment {
            id: DeploymentId::fresh(&SystemIds),
            instance_id: tenant.instance_id,
            scope: Scope::Tenant {
                tenant_id: tenant.id,
                revision_id: RevisionId::fresh(&SystemIds),
            },
            status: DeploymentStatus::Rejected,
            requested_by: "ann@example.com".to_owned(),
            generation_id: None,
            generation: None,
            changes: Vec::new(),
            findings: vec![Finding::error("asterisk_refused", words)],
            created_at: ago(days),
            ended_at: Some(ago(days)),
        };
        let mut tx = self.store.begin("refused").await.unwrap();
        deployments::insert(&mut tx, &deployment).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Has the log begin anew, as if nobody had done anything so far: what comes behind is no older than what was before it.
    pub async fn forget_log(&self) {
        self.texts("delete from audit_entries returning action").await;
        let digest = match self.bench.backend {
            Sqlite => "zeroblob(32)",
            Postgres => "decode(repeat('00', 32), 'hex')",
        };
        self.texts(&format!(
            "update audit_head set number = 0, digest = {digest} returning log"
        ))
        .await;
    }

    /// Something that somebody did so many days ago, for this reason.
    pub async fn did(&self, tenant: &Tenant, reason: &str, days: i64) {
        let entry = AuditEntry {
            id: AuditId::fresh(&SystemIds),
            at: ago(days),
            actor: Actor {
                kind: ActorKind::User,
                id: Some(SystemIds.next()),
                name: "ann@example.com".to_owned(),
            },
            operating_as: false,
            action: "extension.change".to_owned(),
            resource: "extension".to_owned(),
            target_id: "1001".to_owned(),
            tenant_id: Some(tenant.id),
            before: None,
            after: None,
            reason: Some(reason.to_owned()),
            request_id: None,
            address: None,
            agent: None,
        };
        let mut tx = self.store.begin("did").await.unwrap();
        audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
        tx.commit().await.unwrap();
    }

    /// One of each kind from so many days ago, told by this word.
    async fn one_of_each(&self, tenant: &Tenant, word: &str, place: u64, days: i64) {
        self.call(tenant, &format!("17900000{place:02}.1"), word, days)
            .await;
        self.recording(tenant, &format!("17900000{place:02}.1.wav"), days)
            .await;
        self.refused(tenant, word, days).await;
        self.did(tenant, word, days).await;
        self.archived(tenant, word, days).await;
    }

    /// A ticket of this subject that was archived so many days ago.
    async fn archived(&self, tenant: &Tenant, subject: &str, days: i64) {
        let id = match self.bench.backend {
            Sqlite => "randomblob(16)",
            Postgres => "gen_random_uuid()",
        };
        let at = ago(days).as_microsecond();
        self.texts(&format!(
            "insert into tickets (id, tenant_id, subject, state, opened_by_kind, opened_by_name, comments, archived, archived_at, \
             version, created_at, updated_at, text) select {id}, t.id, '{subject}', 'open', 'user', 'x', 0, true, {at}, 1, {at}, \
             {at}, 'x' from tenants t where t.domain = '{}' returning subject",
            tenant.domain
        ))
        .await;
    }

    /// The tables in whose rows a word stands, and whether the log is as it was written.
    async fn stands_in(&self, word: &str) -> Vec<String> {
        let rows = that_name(&all_rows(&self.bench).await, &[word.to_owned()]);
        let table = |row: &String| row.split(':').next().unwrap().to_owned();
        let mut tables: Vec<String> = rows.iter().map(table).collect();
        tables.sort();
        tables
    }
}

/// All but messages of mail boxes, which lie on a running PBX.
const POLICY: [(&str, i64); RetentionKind::ALL.len() - 1] = [
    ("call_records", 30),
    ("recordings", 20),
    ("audit_payloads", 40),
    ("deployments", 50),
    ("tickets", 45),
];

#[rstest]
#[tokio::test]
async fn a20_after_a_purge_nothing_is_left_of_what_is_older_and_all_of_what_is_not(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, globex) = (&world.acme, &world.globex);
    world.forget_log().await;
    world.one_of_each(acme, "bygone", 1, 51).await;
    world.one_of_each(acme, "recent", 2, 10).await;
    world.one_of_each(globex, "foreign", 3, 51).await;
    let everywhere = [
        "audit_entries",
        "call_record_parts",
        "call_records",
        "deployments",
        "tickets",
    ];
    for word in ["bygone", "recent", "foreign"] {
        assert_eq!(world.stands_in(word).await, everywhere, "{word}");
    }
    let policy: serde_json::Map<_, _> = POLICY
        .iter()
        .map(|(kind, days)| ((*kind).to_owned(), json!(days)))
        .collect();
    world.keep(acme, policy.into()).await;
    let preview = purges::preview(&world.app, &inside(acme), &IfMatch::Any)
        .await
        .unwrap();
    let seen: Vec<_> = preview
        .parts
        .iter()
        .map(|(kind, _, amount)| (kind.as_str(), amount.found))
        .collect();
    assert_eq!(seen, POLICY.map(|(kind, _)| (kind, 1)));
    let before = all_rows(&world.bench).await;
    purges::preview(&world.app, &inside(acme), &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(all_rows(&world.bench).await, before, "a preview writes nothing");

    let id = world.purge(acme).await;
    world.work().await;
    let report = world.report(acme, id).await;
    assert_eq!(report.status, PurgeStatus::Done, "{report:#?}");
    for ((kind, days), part) in POLICY.iter().zip(&report.parts) {
        assert_eq!(part.kind.as_str(), *kind);
        let found = part.found.unwrap().found;
        assert_eq!((found, part.removed, part.kept), (1, 1, 0), "{kind}");
        assert_eq!(part.cutoff, report.time - SignedDuration::from_hours(24 * days));
    }
    assert_eq!(world.stands_in("bygone").await, [""; 0]);
    world.is_written_over(&["bygone"]).await;
    for word in ["recent", "foreign"] {
        assert_eq!(world.stands_in(word).await, everywhere, "{word}");
    }
    let mut left: Vec<_> = fs::read_dir(world.recorded(acme))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["1790000002.1.wav"]);
    assert!(world.recorded(globex).join("1790000003.1.wav").exists());
    let platform = operator::platform(None);
    let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
    assert!(log.ok && log.blanked == 1, "{log:?}");
    let told = "select action from audit_entries where action like 'compliance.%' order by number";
    let actions = [
        "compliance.set_retention",
        "compliance.purge",
        "compliance.purged",
        "compliance.purge_end",
    ];
    assert_eq!(world.texts(told).await, actions);
    // Once more there is nothing to do, and nothing is told twice.
    let again = world.purge(acme).await;
    world.work().await;
    let counts = world.counts(acme, again).await;
    assert!(
        counts
            .iter()
            .all(|(_, found, removed, _)| (*found, *removed) == (0, 0))
    );
    assert_eq!(
        world
            .texts("select action from audit_entries where action = 'compliance.purged'")
            .await
            .len(),
        1
    );
}

/// Whoever can write to the database blanks what they did, and names the entry of a purge.
#[rstest]
#[tokio::test]
async fn o61_a_payload_that_somebody_blanked_and_a_purge_did_not_is_found(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.forget_log().await;
    world.did(acme, "bygone", 40).await;
    world.did(acme, "recent", 10).await;
    world.keep(acme, json!({"audit_payloads": 30})).await;
    world.purge(acme).await;
    world.work().await;
    let platform = operator::platform(None);
    let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
    assert!(log.ok && log.blanked == 1, "{log:?}");
    let blanked = world
        .texts(
            "update audit_entries set salt = null, actor_name = null, reason = null, blanked_by = \
             (select id from audit_entries where action = 'compliance.purged') where reason = 'recent' returning action",
        )
        .await;
    assert_eq!(blanked.len(), 1);
    let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
    let codes: Vec<&str> = log.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["untold"]);
}
