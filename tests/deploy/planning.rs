//! Planning: it waits for nobody, keeps nobody waiting, and a look at the plan leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Planning, RolledBack};
use switchyard::domain::deployment::{Stage, StageRecord, StageResult};
use switchyard::store::{self, stages};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::served::endpoints;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator, record};

const SOON: Duration = Duration::from_secs(5);

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_at_the_plan_does_not_wait_for_a_writer(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    // On SQLite nobody else may write now, on PostgreSQL nobody else in this tenant.
    let mut writer = world.store.begin("long").await.unwrap();
    assert!(store::tenants::lock(&mut writer, acme.id).await.unwrap());
    let seen = timeout(SOON, deployments::plan(&world.app, &acme.caller)).await;
    assert_eq!(seen.unwrap().unwrap().changes.len(), 1);
    let operator = operator();
    let seen = deployments::plan_instance(&world.app, &operator, world.instance_id);
    assert_eq!(timeout(SOON, seen).await.unwrap().unwrap().changes.len(), 1);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_at_the_plan_leaves_nothing_behind(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.override_template("asterisk/pjsip.conf", |text| format!("{text}\n; looked at\n"));
    for _ in 0..2 {
        let seen = deployments::plan(&world.app, &acme.caller).await.unwrap();
        assert!(!seen.files.is_empty(), "{seen:#?}");
        let seen = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
        assert!(seen.unwrap().files[0].diff.contains("+[1001@acme.example.com]"));
        world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    }
    for table in ["revisions", "template_sets", "generations"] {
        let rows = world.database.ask(format!("select 'kept' from {table}")).await;
        assert!(rows.is_empty(), "{table}");
    }
    assert!(!world.state_dir().exists(), "fragments of a plan were kept");
}

/// What a tenant serves that nobody edited cannot even be read: so it is not read, and a plan costs what changed.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_at_the_plan_reads_only_what_would_move(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .database
        .sql(
            "update served set fragments = '\"damaged\"' where tenant_id = \
             (select id from tenants where domain = 'globex.example.com')",
        )
        .await;
    let looks = async || {
        let own = deployments::plan(&world.app, &acme.caller).await.unwrap();
        let operator = operator();
        let all = deployments::plan_instance(&world.app, &operator, world.instance_id).await;
        [own, all.unwrap()]
    };
    for seen in looks().await {
        assert!(
            seen.unchanged && seen.changes.is_empty() && seen.files.is_empty(),
            "{seen:#?}"
        );
    }
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    for seen in looks().await {
        assert_eq!(
            (seen.unchanged, seen.rejected, seen.changes.len()),
            (false, false, 1)
        );
        assert_eq!(seen.reload, ["res_pjsip.so", "app_voicemail.so"]);
        assert!(seen.files[0].diff.contains("+callerid=\"Ann\""), "{seen:#?}");
    }
    assert!(
        deployments::plan(&world.app, &globex.caller).await.is_err(),
        "it was damaged"
    );
}

/// Whoever loses a fragment of another tenant's has it rendered with today's secrets, and proven like everything else.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_lost_fragment_comes_back_with_todays_secrets_and_is_proven(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let rotated = extensions::rotate_secret(&world.app, &globex.caller, gina.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(
        ended.stages.last().unwrap().detail.contains("2 extensions"),
        "{ended:#?}"
    );
    let mut fresh = gina.clone();
    fresh.secrets.sip = rotated;
    assert!(world.registers(&globex, &fresh) && world.registers(&acme, &ann));
    assert!(world.is_verified(&globex).await && world.is_verified(&acme).await);
}

/// It may be what ends the process, and others wait behind it.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_that_is_cut_off_again_and_again_ends(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let former = world.deploy_platform().await.expect(Live).deployment.generation;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let mut tx = world.store.begin("deaths").await.unwrap();
    store::deployments::set_status(&mut tx, request.id, Planning)
        .await
        .unwrap();
    let now = SystemClock.now();
    for _ in 0..=10 {
        stages::begin(&mut tx, request.id, Stage::Planning, now)
            .await
            .unwrap();
        let cut = StageResult::Interrupted;
        stages::end(&mut tx, request.id, Stage::Planning, cut, "", now)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    world
        .engine
        .work_off(world.instance_id, &CancellationToken::new())
        .await
        .unwrap();
    let ended = record(&world.app, &request).await.expect(Failed);
    assert_eq!(ended.codes(), ["interrupted_too_often"]);
    assert_eq!((world.standing(), world.live().await), (former, former));
    world.deploy(&acme).await.expect(Live);
}

/// A template that takes its time: rendering is outside of every transaction, and the lease is prolonged beside it.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_deploy_that_plans_keeps_no_writer_waiting(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.override_template("asterisk/voicemail.conf", |text| {
        let many = "range(end=1000)";
        format!("{{% for a in {many} %}}{{% for b in {many} %}}{{% endfor %}}{{% endfor %}}{text}")
    });
    let request = deployments::deploy_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap();
    let (engine, id) = (Arc::clone(&world.engine), world.instance_id);
    let mut work = JoinSet::new();
    work.spawn(async move { engine.work_off(id, &CancellationToken::new()).await });
    let mut edits = 0;
    let editing = async {
        loop {
            let (_, stages) = deployments::find_of_instance(&world.app, &operator(), id, request.id)
                .await
                .unwrap();
            let planned = |stage: &StageRecord| stage.stage == Stage::Planning && stage.ended_at.is_some();
            if stages.iter().any(planned) {
                break;
            }
            let edit = json!({"ring_time": 10 + edits % 100});
            timeout(SOON, world.patch(&globex, &gina, edit.clone()))
                .await
                .unwrap();
            timeout(SOON, world.patch(&acme, &ann, edit)).await.unwrap();
            edits += u32::from(!stages.is_empty());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(10 * SOON, editing).await.expect("it is planned, or ends");
    assert!(edits > 5, "only {edits} edits while it planned");
    work.join_next().await.unwrap().unwrap().unwrap();
    record(&world.app, &request).await.expect(Live);
}

/// What is to be asked for is read after the apply; a row that cannot be read then must not leave the deploy half done.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_whose_proof_cannot_be_read_goes_back(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let former = world.deploy_platform().await.expect(Live).deployment.generation;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    // Everything is asked for where a file was edited in place, the other tenant's secrets among it.
    let path = world.live_file(Artifact::Pjsip);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}; by hand\n")).unwrap();
    let broken = match backend {
        Sqlite => {
            "update extension_secrets set sip = x'00' where tenant_id = (select id from tenants where domain = 'globex.example.com')"
        }
        Postgres => {
            "update extension_secrets set sip = '\\x00' where tenant_id = (select id from tenants where domain = 'globex.example.com')"
        }
    };
    world.database.sql(broken).await;
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"not_proven"), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("extension_secrets"), "{ended:#?}");
    assert_eq!((world.standing(), world.live().await), (former, former));
    assert!(world.is_verified(&acme).await);
    assert!(endpoints(&world).contains(&format!("1001@{}", globex.domain)));
}

/// More than are asked for in one session.
#[rstest]
#[case(Sqlite)]
#[tokio::test]
async fn a10_the_last_extension_of_a_large_box_is_asked_for_like_the_first(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (_, gina)] = world.acme_and_globex().await;
    let rows = (0..1_050).map(|place| {
        let number = (2_000 + place).to_string();
        let input = json!({"number": number, "name": "Ann"});
        Row {
            line: place,
            number: Some(number),
            input: Ok(serde_json::from_value(input).unwrap()),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let report = extension_import::import(&world.app, &acme.caller, rows, false, None).await;
    assert!(report.unwrap().into_inner().imported);
    let live = world.deploy_platform().await.expect(Live);
    assert!(
        live.stages.last().unwrap().detail.contains("1052 extensions"),
        "{live:#?}"
    );
    // Of the tenant that was made last, and so stands last.
    let domain = "globex.example.com";
    world.override_template("asterisk/pjsip.conf", |text| {
        let context = "context={{ tenant.domain }}";
        assert!(text.contains(context));
        let altered = format!("context={{% if tenant.domain == \"{domain}\" %}}other{{% else %}}{{{{ tenant.domain }}}}{{% endif %}}");
        text.replacen(context, &altered, 1)
    });
    let ended = world.deploy_platform().await.expect(RolledBack);
    let altered = ended
        .deployment
        .findings
        .iter()
        .find(|finding| finding.code == "endpoint_altered");
    assert_eq!(
        altered.unwrap().tenant_id,
        Some(gina.extension.tenant_id),
        "{ended:#?}"
    );
}
