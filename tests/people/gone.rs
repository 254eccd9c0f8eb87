//! A tenant that was deleted: nothing names it or its people any more, but for what the audit log says of the deletion.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rstest::rstest;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde_json::json;
use switchyard::app::api_keys::{self, KeyInput};
use switchyard::app::error::AppError;
use switchyard::app::idempotency::Once;
use switchyard::app::precondition::IfMatch;
use switchyard::app::profile::{self, ProfileChange};
use switchyard::app::roles::{self, RoleInput};
use switchyard::app::{audit_log, invitations, operator, platform_user_changes, tenant_deletion};
use switchyard::domain::call_part::CallPart;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::contact::Contact;
use switchyard::domain::digest::Digest;
use switchyard::domain::ids::{CallRecordId, RecordingId, RevisionId, SystemIds};
use switchyard::domain::recording::FoundRecording;
use switchyard::domain::tenant::Tenant;
use switchyard::domain::trusted_time::{Beat, TrustedTime};
use switchyard::store::call_records::{self, OfCall};
use switchyard::store::{recordings, revisions, trusted_time};
use tempfile::TempDir;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::{all_rows, that_name};
use super::world::{Person, World, invitation};

/// On the node that the instance names, with a clock that was looked at, and with a mail server that is not there: what is
/// posted waits.
pub async fn world(backend: Backend, state: &TempDir) -> World {
    let more = [
        ("SWITCHYARD_NODE_NAME", "node1".to_owned()),
        ("SWITCHYARD_STATE_DIR", state.path().display().to_string()),
        ("SWITCHYARD_MAIL_HOST", "127.0.0.1".to_owned()),
        ("SWITCHYARD_MAIL_PORT", "1".to_owned()),
        ("SWITCHYARD_MAIL_TLS", "none".to_owned()),
        ("SWITCHYARD_MAIL_FROM", "pbx@example.com".to_owned()),
    ];
    let world = World::with(backend, &more).await;
    world.beat(1, &TrustedTime::first(SystemClock.now())).await;
    world
}

impl World {
    /// What a daemon notes of the clock.
    pub async fn beat(&self, number: i64, time: &TrustedTime) {
        let mut tx = self.store.begin("beat").await.unwrap();
        let time = time.clone();
        trusted_time::put(&mut tx, &Beat { number, time }).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn move_to(&self, person: &Person, tenant: &Tenant) {
        let platform = operator::platform(None);
        let id = person.user.id;
        platform_user_changes::change_tenant(&self.app, &platform, id, Some(tenant.id), None, &IfMatch::Any)
            .await
            .unwrap();
    }

    /// Has a tenant go.
    pub async fn let_go(&self, tenant: &Tenant) {
        let platform = operator::platform(None);
        self.suspend(tenant).await;
        let name = tenant.name.as_str();
        tenant_deletion::delete(&self.app, &platform, tenant.id, name, &IfMatch::Any)
            .await
            .unwrap();
    }

    /// A PBX may serve it from now on.
    pub async fn revision(&self, tenant: &Tenant) {
        let mut tx = self.store.begin("revision").await.unwrap();
        let head = revisions::head(&mut tx, tenant.id).await.unwrap().unwrap();
        let id = RevisionId::fresh(&SystemIds);
        let early = "2026-01-01T00:00:00Z".parse().unwrap();
        revisions::take(&mut tx, tenant.id, &head, id, early)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// The directory of the recordings of a tenant.
    pub fn recordings(&self, tenant: &Tenant) -> PathBuf {
        self.bench
            .folder
            .path()
            .join("recordings")
            .join(tenant.domain.as_str())
    }

    /// A call of a tenant that is over, from somebody of this name, with its recording; a second recording that nobody has
    /// found yet, and what is none.
    pub async fn recorded_call(&self, tenant: &Tenant, number: &str, name: &str) {
        let domain = tenant.domain.as_str();
        let told: CallPart = serde_json::from_value(json!({
            "key": format!("{number}.1:1"), "channel": format!("{number}.1"), "is_of_called": false, "left": false,
            "caller": {"number": number, "domain": domain}, "called": null, "from_number": number, "from_name": name,
            "to": "1777", "started": "2026-11-20T10:00:00Z", "answered": null, "ended": "2026-11-20T10:00:05Z",
            "disposition": "no_answer", "cause": null,
        }))
        .unwrap();
        self.revision(tenant).await;
        let directory = self.recordings(tenant);
        std::fs::create_dir_all(directory.join("archive/2026/Nov")).unwrap();
        for file in [
            format!("{number}.1.wav"),
            "archive/2026/Nov/1790000000.7.mp3".to_owned(),
        ] {
            std::fs::write(directory.join(file), name).unwrap();
        }
        let found = FoundRecording {
            path: format!("{domain}/{number}.1.wav").parse().unwrap(),
            bytes: 4,
            written_at: told.ended,
        };
        let (call, recording) = (CallRecordId::fresh(&SystemIds), RecordingId::fresh(&SystemIds));
        let mut tx = self.store.begin("recorded_call").await.unwrap();
        let of = OfCall {
            id: call,
            tenant: tenant.id,
            instance: tenant.instance_id,
            call: &told.channel,
            is_rough: false,
        };
        call_records::keep(&mut tx, of, &told, |own| own == domain)
            .await
            .unwrap();
        recordings::put(&mut tx, recording, tenant.id, tenant.instance_id, &found)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// A tenant's owner does all that leaves something; gives what tells of it, each in every way that it is written.
    async fn live_in(&self, tenant: &Tenant) -> Vec<Vec<String>> {
        let anja = self.person("anja", tenant, "owner").await;
        let caller = self.caller(&anja.token).await;
        let contact = Contact {
            phone: Some("030-5550123".parse().unwrap()),
            ..Contact::default()
        };
        let change = ProfileChange {
            name: None,
            contact: Some(contact),
        };
        profile::change(&self.app, &caller, change, &IfMatch::Any)
            .await
            .unwrap();
        let dialler = KeyInput {
            name: Some("the dialler".to_owned()),
            permissions: Some(vec!["config.read".to_owned()]),
            expires_at: None,
        };
        let (key, _) = api_keys::create(&self.app, &caller, dialler).await.unwrap();
        let porter = RoleInput {
            name: Some("night porter".to_owned()),
            permissions: Some(vec!["users.list".to_owned()]),
        };
        let once = Once {
            key: "the-porter-once".parse().unwrap(),
            request: Digest::of(b"a role"),
            secret: false,
        };
        roles::create(&self.app, &caller, porter, Some(&once))
            .await
            .unwrap();
        let extension = self.extension(&caller, "70017001").await.unwrap();
        self.forgot("anja@example.com").await.unwrap();
        let (bodo, _) = invitations::invite(&self.app, &caller, invitation("bodo", "agent"))
            .await
            .unwrap();
        let boss = self.manager("boss").await;
        let inside = self.inside(&boss, tenant).await;
        self.extension(&inside, "70017002").await.unwrap();
        self.recorded_call(tenant, "70017001", "kunigunde").await;
        self.recorded_call(&self.globex, "70017009", "the other caller")
            .await;
        // Somebody came from elsewhere, and somebody went.
        let mila = self.person("mila", &self.globex, "agent").await;
        self.move_to(&mila, tenant).await;
        let tomi = self.person("tomi", tenant, "agent").await;
        self.move_to(&tomi, &self.globex).await;
        let ids = [
            tenant.id.uuid(),
            anja.user.id.uuid(),
            bodo.id.uuid(),
            mila.user.id.uuid(),
            key.id.uuid(),
            extension.id.uuid(),
        ];
        let ids = ids.map(|id| vec![id.to_string(), id.simple().to_string()]);
        let texts = [
            tenant.domain.as_str(),
            "acme",
            "anja",
            "anja@example.com",
            "bodo",
            "bodo@example.com",
            "030-5550123",
            "the dialler",
            "kunigunde",
            &key.prefix.to_lowercase(),
            "night porter",
            "the-porter-once",
            "70017001",
            "asked by phone",
            "192.0.2.1",
        ];
        let texts = texts.map(|text| vec![text.to_owned()]);
        ids.into_iter().chain(texts).collect()
    }
}

#[rstest]
#[tokio::test]
async fn o40_nothing_of_a_deleted_tenants_people_keys_mails_and_links_is_left_and_the_log_holds(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let told = world.live_in(&world.acme).await;
    let rows = all_rows(&world.bench).await;
    for texts in &told {
        let found = that_name(&rows, texts);
        assert!(!found.is_empty(), "nothing that could be left names {texts:?}");
    }
    // What has nothing to do with it stays, a move too.
    let gina = world.manager("gina").await;
    world.move_to(&gina, &world.globex).await;

    world.suspend(&world.acme).await;
    let (platform, acme) = (operator::platform(None), world.acme.id);
    tenant_deletion::delete(&world.app, &platform, acme, "Acme", &IfMatch::Any)
        .await
        .unwrap();
    assert!(
        tenant_deletion::finish(&world.app, &platform, acme)
            .await
            .unwrap()
    );

    assert!(!world.recordings(&world.acme).exists(), "its recordings are left");
    let others = world.recordings(&world.globex);
    assert!(
        others.join("70017009.1.wav").exists() && others.join("archive/2026/Nov/1790000000.7.mp3").exists()
    );
    let rows = all_rows(&world.bench).await;
    assert_eq!(that_name(&rows, &told.concat()), [""; 0]);
    let logged = |name: &str| {
        let rows = that_name(&rows, &[name.to_owned()]);
        let entries = rows.iter().filter_map(|row| row.strip_prefix("audit_entries: "));
        let actions = entries.map(|entry| entry.split(':').next().unwrap().to_owned());
        actions.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(logged("gina"), "user.create session.begin user.move");
    // Another tenant's log goes on to say who worked there.
    assert_eq!(logged("mila"), "user.create session.begin");
    assert_eq!(that_name(&rows, &["mila".to_owned()]).len(), 2);
    // Whoever had gone lives on where they are.
    assert!(
        world
            .log_in("tomi@example.com", super::world::PASSWORD)
            .await
            .is_ok()
    );
    let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
    assert!(log.ok, "{:?}", log.findings);
    let moves = "select action from audit_entries where tenant_id is null and salt is null";
    assert_eq!(world.texts(moves).await, ["user.move", "user.move"]);
}

/// Both tenants of a move go, one after the other.
#[rstest]
#[tokio::test]
async fn o40_a_move_between_two_deleted_tenants_is_blanked_once_and_the_log_holds(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let mila = world.person("mila", &world.globex, "agent").await;
    world.move_to(&mila, &world.acme).await;
    let platform = operator::platform(None);
    for tenant in [&world.globex, &world.acme] {
        world.suspend(tenant).await;
        tenant_deletion::delete(
            &world.app,
            &platform,
            tenant.id,
            tenant.name.as_str(),
            &IfMatch::Any,
        )
        .await
        .unwrap();
        assert!(
            tenant_deletion::finish(&world.app, &platform, tenant.id)
                .await
                .unwrap()
        );
        let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
        assert!(log.ok, "{:?}", log.findings);
    }
    let lists = "select cast(count(*) as text) from audit_entries where action = 'tenant.gone' and after like '%moves%'";
    assert_eq!(world.texts(lists).await, ["1"]);
}

#[rstest]
#[tokio::test]
async fn a13_a_tenant_is_not_gone_while_the_disk_of_its_recordings_is_away(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (platform, acme) = (operator::platform(None), &world.acme);
    world.recorded_call(acme, "70017001", "kunigunde").await;
    let said = tenant_deletion::preview(&world.app, &platform, acme.id)
        .await
        .unwrap();
    let others = format!("in {}", world.recordings(acme).display());
    assert!(said.not_removed[0].contains(&others), "{:?}", said.not_removed);
    world.let_go(acme).await;
    let root = world.bench.folder.path().join("recordings");
    let away = world.bench.folder.path().join("away");
    std::fs::rename(&root, &away).unwrap();
    for is_mount_point in [false, true] {
        if is_mount_point {
            std::fs::create_dir(&root).unwrap();
        }
        let finished = tenant_deletion::finish(&world.app, &platform, acme.id).await;
        assert!(
            matches!(finished, Err(AppError::Recordings(_))),
            "{is_mount_point}: {finished:?}"
        );
    }
    std::fs::remove_dir(&root).unwrap();
    std::fs::rename(&away, &root).unwrap();
    let finished = tenant_deletion::finish(&world.app, &platform, acme.id).await;
    assert!(finished.unwrap());
    assert!(!world.recordings(acme).exists());
}

#[rstest]
fn a13_a_recording_that_cannot_be_removed_keeps_no_other_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    kept_out(move || one_is_kept(backend));
}

/// Does something as somebody whom a directory's mode keeps out, also where that is root.
pub fn kept_out<F: Future<Output = ()>>(what: impl FnOnce() -> F + Send + 'static) {
    let work = move || {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        set_capabilities(None, sets).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(what());
    };
    std::thread::spawn(work).join().unwrap();
}

async fn one_is_kept(backend: Backend) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let platform = operator::platform(None);
    for (tenant, number) in [(&world.acme, "70017001"), (&world.globex, "70017009")] {
        world.recorded_call(tenant, number, "kunigunde").await;
        world.let_go(tenant).await;
    }
    let (kept, goes) = (&world.acme, &world.globex);
    let directory = world.recordings(kept);
    // It can be neither written in nor, then, be looked at.
    for mode in [0o500, 0o000] {
        std::fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        let finished = tenant_deletion::finish(&world.app, &platform, kept.id).await;
        assert!(
            matches!(finished, Err(AppError::Recordings(_))),
            "{mode:o}: {finished:?}"
        );
        assert!(!world.recordings(goes).exists(), "{mode:o}");
    }
    let finished = tenant_deletion::finish(&world.app, &platform, goes.id).await;
    assert!(finished.unwrap());
    std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    let finished = tenant_deletion::finish(&world.app, &platform, kept.id).await;
    assert!(finished.unwrap());
    assert!(!directory.exists());
}
