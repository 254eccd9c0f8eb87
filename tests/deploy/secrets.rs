//! No secret in any record, preview or log; exactly one audit entry for each request.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions, instances};
use switchyard::deploy::ShadowPolicy::Auto;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Rejected, RolledBack};
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Phone, TestTenant, World, ended, operator};

/// All that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Each test is a process of its own, so the whole process may log here.
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Every column of every row that tells what was done.
async fn records(world: &World) -> String {
    let mut all = Vec::new();
    for (table, columns) in [
        (
            "deployments",
            &["scope", "status", "requested_by", "changes", "findings"][..],
        ),
        ("deployment_stages", &["stage", "result", "detail"]),
        (
            "audit_entries",
            &["actor_name", "action", "target_id", "before", "after", "reason"],
        ),
        ("revisions", &["config"]),
        ("served", &["fragments"]),
        ("instances", &["settings"]),
        ("leases", &["holder"]),
    ] {
        for column in columns {
            let sql = format!("select coalesce(cast({column} as text), '') from {table}");
            let values = world.database.ask(sql).await;
            assert!(!values.is_empty(), "{table}.{column}");
            all.extend(values);
        }
    }
    all.join("\n")
}

fn of(tenant: &TestTenant, phone: &Phone) -> Vec<String> {
    let ha1 = phone.secrets.sip.ha1(&phone.extension.number, &tenant.domain);
    vec![
        phone.secrets.sip.expose().to_owned(),
        phone.secrets.pin.expose().to_owned(),
        ha1.expose().to_owned(),
    ]
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_no_secret_is_in_a_record_a_preview_or_a_log(#[case] backend: Backend) {
    let log = Log::start();
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    let input = json!({"number": "1001", "name": "Ann", "secret": "AnnsOwnSecret2468",
        "voicemail": {"enabled": true, "pin": "8642097531"}});
    let ann = world.extension(&acme, input).await;
    let bob = world
        .extension(
            &acme,
            json!({"number": "1002", "name": "Bob", "voicemail": {"enabled": true}}),
        )
        .await;
    let mut secrets = of(&acme, &ann);
    secrets.extend(of(&acme, &bob));
    secrets.push(world.pbx.private.secret().expose_secret().to_owned());
    let mut previews = Vec::new();
    let mut preview = async || {
        previews.push(
            serde_json::to_string(&deployments::plan(&world.app, &acme.caller).await.unwrap()).unwrap(),
        );
        let platform = deployments::plan_instance(&world.app, &operator(), world.instance_id)
            .await
            .unwrap();
        previews.push(serde_json::to_string(&platform).unwrap());
    };

    // Every way a deploy can end, with errors in the very lines that hold secrets.
    preview().await;
    let first = world.deploy(&acme).await.expect(Live);
    let spoil = |from: &'static str, to: &'static str| {
        move |text: &str| {
            assert!(text.contains(from));
            text.replacen(from, to, 1)
        }
    };
    world.override_template(
        "asterisk/pjsip.conf",
        spoil("password_digest=MD5:", "password_digest=MD5:0"),
    );
    preview().await;
    world
        .deploy_platform_with(&world.shadowed(Auto))
        .await
        .expect(Rejected);
    world.deploy_platform().await.expect(RolledBack);
    world.override_template(
        "asterisk/pjsip.conf",
        spoil("password_digest=MD5:", "password_digest MD5:"),
    );
    world
        .deploy_platform_with(&world.shadowed(Auto))
        .await
        .expect(Rejected);
    world.deploy_platform().await.expect(RolledBack);
    world.remove_override("asterisk/pjsip.conf");
    world.override_template(
        "asterisk/voicemail.conf",
        spoil("-{{ mailbox.pin }}", "*{{ mailbox.pin }}"),
    );
    world.deploy_platform_with(&world.shadowed(Auto)).await;
    world.deploy_platform().await;
    world.remove_override("asterisk/voicemail.conf");
    world.deploy_platform().await;

    let rotated = extensions::rotate_secret(&world.app, &acme.caller, ann.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    secrets.push(rotated.expose().to_owned());
    secrets.push(
        rotated
            .ha1(&ann.extension.number, &acme.domain)
            .expose()
            .to_owned(),
    );
    world
        .patch(&acme, &ann, json!({"voicemail": {"pin": "7531086429"}}))
        .await;
    secrets.push("7531086429".to_owned());
    preview().await;
    world.deploy(&acme).await.expect(Live);
    let request = deployments::roll_back(&world.app, &acme.caller, first.deployment.id, None)
        .await
        .unwrap()
        .into_inner();
    ended(&world.app, &request).await;

    let settings = InstanceSettings::Asterisk(world.pbx.private.settings().clone());
    let wrong = "AnotherManagerSecret1357";
    secrets.push(wrong.to_owned());
    instances::change_settings(
        &world.app,
        &operator(),
        world.instance_id,
        settings,
        &InstanceSecrets::of_control(wrong.into()),
    )
    .await
    .unwrap();
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.deploy(&acme).await.expect(Failed);
    preview().await;

    let records = records(&world).await;
    let previews = previews.join("\n");
    let log = log.text();
    // The searching finds what is there.
    assert!(records.contains("password_digest") || records.contains("1001"));
    assert!(previews.contains("password_digest=MD5:") && log.len() > 1000);
    for (number, secret) in secrets.iter().enumerate() {
        for (place, text) in [
            ("a record", &records),
            ("a preview", &previews),
            ("the log", &log),
        ] {
            let found = text.lines().find(|line| line.contains(secret.as_str()));
            assert!(found.is_none(), "secret {number} is in {place}: {found:?}");
        }
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o61_each_request_to_deploy_writes_one_audit_entry(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let first = world.deploy(&acme).await.expect(Live);
    world.deploy(&acme).await;
    world.deploy_platform().await;
    world
        .patch(&acme, &ann, json!({"forward": {"always": "1001"}}))
        .await;
    let rejected = world.deploy(&acme).await.expect(Rejected);
    let request = deployments::roll_back(&world.app, &acme.caller, first.deployment.id, None)
        .await
        .unwrap()
        .into_inner();
    ended(&world.app, &request).await;
    // What is refused, looked at or only worked off leaves none.
    assert!(
        deployments::roll_back(&world.app, &acme.caller, rejected.deployment.id, None)
            .await
            .is_err()
    );
    deployments::plan(&world.app, &acme.caller).await.unwrap();
    deployments::verify(&world.app, &acme.caller).await.unwrap();

    let told =
        "select action || ' ' || target_id from audit_entries where resource = 'deployment' order by 1";
    let told = world.database.ask(told.to_owned()).await;
    let actions: Vec<&str> = told
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(action, _)| action)
        .collect();
    assert_eq!(
        actions,
        [
            "config.deploy",
            "config.deploy",
            "config.deploy",
            "config.rollback",
            "instance.deploy"
        ]
    );
    let mut targets: Vec<&str> = told
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, id)| id)
        .collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), 5, "each names its own deployment");
}
