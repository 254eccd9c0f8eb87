//! A suspended tenant on its PBX: what its policy says of its phones is what the running Asterisk does.

use std::collections::BTreeSet;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_status::{self, Followed, SuspensionInput};
use switchyard::app::{auto_deploy, deployments, tenant_change};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::Deployment;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Rejected, Unchanged};
use switchyard::domain::finding::Finding;
use switchyard::domain::ids::{DeploymentId, SystemIds};
use switchyard::domain::tenant::SuspensionPolicy::{self, ApiOnly, BlockAll, BlockOutbound};
use switchyard::store::{deployments as records, tenant_lifecycle};

use super::served::{caller_id, dialplan, endpoints, mailboxes};
use super::support::ami::{Fields, field};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, TestTenant, World, operator, record, upkeep, with_mailbox};

const ACME: &str = "1001@acme.example.com";
const GLOBEX: &str = "1001@globex.example.com";

pub async fn set_policy(world: &World, tenant: &TestTenant, policy: SuspensionPolicy) {
    let mut tx = world.store.begin("set_policy").await.unwrap();
    assert!(
        tenant_lifecycle::set_policy(&mut tx, tenant.id, policy)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
}

pub async fn suspend(world: &World, tenant: &TestTenant) -> Followed {
    let input = SuspensionInput {
        category: Some("non_payment".to_owned()),
        reason: None,
    };
    tenant_status::suspend(&world.app, &operator(), tenant.id, input, &IfMatch::Any)
        .await
        .unwrap()
}

/// Works off what is queued for the instance; gives the only deploy that a change of status asked for.
pub async fn followed(world: &World, deployments: &[DeploymentId]) -> Ended {
    assert_eq!(deployments.len(), 1);
    let id = deployments[0];
    let (asked, _) = deployments::find_of_instance(&world.app, &operator(), world.instance_id, id)
        .await
        .unwrap();
    deployments::work_until_ended(&world.app, &asked).await.unwrap();
    record(&world.app, &asked).await
}

/// The domains that the names of the channels which are up are made of.
pub fn domains_in_call(world: &World) -> BTreeSet<String> {
    let channels = world.pbx.ami().list("CoreShowChannels", &[]);
    let domain = |channel: &Fields| {
        let (_, called) = field(channel, "Channel")?.split_once('@')?;
        called.rsplit_once('-').map(|(domain, _)| domain.to_owned())
    };
    channels.iter().filter_map(domain).collect()
}

/// Has somebody of the tenant listen to the echo for longer than the test takes.
pub async fn call_the_echo(world: &World, domain: &str) {
    let line = format!("channel originate Local/*43@{domain} application Wait 600");
    world.pbx.ami().console(&line);
    for _ in 0..100 {
        if domains_in_call(world).contains(domain) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no call came up in {domain}: {:?}", domains_in_call(world));
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_a_blocked_tenants_phones_are_refused_and_its_calls_end_and_come_back_with_it(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    assert!(world.registers(&acme, &ann) && world.registers(&globex, &gina));
    call_the_echo(&world, "acme.example.com").await;
    call_the_echo(&world, "globex.example.com").await;
    // Somebody is in the middle of an edit, which no suspension puts live.
    world.patch(&acme, &ann, json!({"name": "Unfinished"})).await;

    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    let ended = followed(&world, &suspended.deployments).await.expect(Live);
    let last = ended.stages.last().unwrap();
    assert!(last.detail.contains("channels hung up"), "{last:?}");
    assert_eq!(endpoints(&world).into_iter().collect::<Vec<_>>(), [GLOBEX]);
    assert_eq!(
        mailboxes(&world).into_iter().collect::<Vec<_>>(),
        [GLOBEX],
        "its mailbox is closed"
    );
    assert!(
        !dialplan(&world, &acme)
            .iter()
            .any(|line| line.starts_with("1001 "))
    );
    assert!(!world.registers(&acme, &ann) && world.registers(&globex, &gina));
    assert_eq!(
        domains_in_call(&world).into_iter().collect::<Vec<_>>(),
        ["globex.example.com"]
    );
    // Asked again, it is as it must be, and nothing is pending but the edit.
    let verified = deployments::verify_instance(&world.app, &operator(), world.instance_id).await;
    assert!(verified.unwrap().ok);
    assert_eq!(upkeep(&world.app).await, 0);

    let back = tenant_status::reactivate(&world.app, &operator(), acme.id, &IfMatch::Any)
        .await
        .unwrap();
    followed(&world, &back.deployments).await.expect(Live);
    assert_eq!(endpoints(&world).into_iter().collect::<Vec<_>>(), [ACME, GLOBEX]);
    assert_eq!(
        caller_id(&world, ACME).unwrap(),
        "\"acme\" <1001>",
        "the edit waits for its own button"
    );
    assert!(world.registers(&acme, &ann));
    assert!(world.is_verified(&acme).await);
}

#[rstest]
#[case(ApiOnly)]
#[case(BlockOutbound)]
#[tokio::test]
async fn o29_without_block_all_a_suspended_tenants_phones_work_on(#[case] policy: SuspensionPolicy) {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    set_policy(&world, &acme, policy).await;
    assert_eq!(suspend(&world, &acme).await.deployments, []);
    world.deploy_platform().await.expect(Unchanged);
    assert!(world.registers(&acme, &ann));
    assert_eq!(upkeep(&world.app).await, 0);
}

/// Whatever another deploy does meanwhile: it renders the tenant as blocked too.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_no_deploy_and_no_rollback_lets_a_blocked_tenant_back_in(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let open = world.deploy_platform().await.expect(Live);
    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    followed(&world, &suspended.deployments).await.expect(Live);
    world.deploy_platform().await.expect(Unchanged);
    assert!(!world.registers(&acme, &ann));

    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    world.deploy(&globex).await.expect(Live);
    assert!(!world.registers(&acme, &ann));
    let number = open.deployment.generation.unwrap();
    let back = deployments::roll_back_instance(&world.app, &operator(), world.instance_id, number)
        .await
        .unwrap();
    super::world::ended(&world.app, &back).await.expect(Live);
    assert!(!world.registers(&acme, &ann) && world.registers(&globex, &gina));
}

/// A first deploy that had read the status before it was changed goes live after that.
#[rstest]
#[tokio::test]
async fn o29_what_a_deploy_under_way_knew_nothing_of_is_asked_for_at_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    set_policy(&world, &acme, BlockAll).await;
    world.deploy_platform().await.expect(Live);
    let mut tx = world.store.begin("suspend").await.unwrap();
    let why = super::support::suspension::pause(SystemClock.now());
    tenant_lifecycle::suspend(&mut tx, acme.id, &why).await.unwrap();
    tx.commit().await.unwrap();
    upkeep(&world.app).await;
    let asked = "select requested_by from deployments where scope = 'tenant_status'";
    assert_eq!(world.database.ask(asked.to_owned()).await.len(), 1);
}

/// What somebody edits, and what becomes of that, is none of the suspension's business.
#[rstest]
#[tokio::test]
async fn o29_a_deploy_of_an_edit_neither_explains_nor_delays_what_a_status_waits_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    let edit = world.deploy(&acme).await.expect(Live).deployment;
    set_policy(&world, &acme, BlockAll).await;
    let mut tx = world.store.begin("suspend").await.unwrap();
    let why = super::support::suspension::pause(SystemClock.now());
    tenant_lifecycle::suspend(&mut tx, acme.id, &why).await.unwrap();
    let now = SystemClock.now();
    let rejected = Deployment {
        id: DeploymentId::fresh(&SystemIds),
        status: Rejected,
        findings: vec![Finding::error("emergency_number", "1001 is an emergency number")],
        created_at: now,
        ended_at: Some(now),
        ..edit
    };
    records::insert(&mut tx, &rejected).await.unwrap();
    tx.commit().await.unwrap();
    let shown = tenant_change::show(&world.app, &operator(), acme.id)
        .await
        .unwrap();
    let [behind] = <[_; 1]>::try_from(shown.behind).unwrap();
    assert_eq!(behind.reason, None);
    assert!(behind.again_at.unwrap() <= now, "{behind:?}");
    upkeep(&world.app).await;
    let asked = "select requested_by from deployments where scope = 'tenant_status'";
    assert_eq!(world.database.ask(asked.to_owned()).await, ["system:status"]);
}

/// A PBX that was down when the tenant was blocked is told again by itself.
#[tokio::test]
async fn o29_what_did_not_reach_the_pbx_is_asked_for_again() {
    let world = World::new(Sqlite).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    set_policy(&world, &acme, BlockAll).await;
    let pid = super::support::pbx::pid(&world.pbx.home());
    super::support::pbx::kill(pid);
    let (app, engine) = world.impatient(super::drivers::Drivers::plain(&world.pbx));
    let suspended = suspend(&world, &acme).await;
    let (asked, _) =
        deployments::find_of_instance(&app, &operator(), world.instance_id, suspended.deployments[0])
            .await
            .unwrap();
    super::world::ended(&app, &asked).await.expect(Failed);
    // Not at once: it would fail again.
    assert_eq!(upkeep(&app).await, 0);
    let queued = "select cast(count(*) as text) from deployments where status = 'queued'";
    assert_eq!(world.database.ask(queued.to_owned()).await, ["0"]);
    world
        .database
        .sql("update deployments set ended_at = ended_at - 61000000")
        .await;
    upkeep(&app).await;
    assert_eq!(world.database.ask(queued.to_owned()).await, ["1"]);
    // Once.
    upkeep(&app).await;
    assert_eq!(world.database.ask(queued.to_owned()).await, ["1"]);

    // The next time after twice as long; meanwhile whoever looks sees why.
    let stop = tokio_util::sync::CancellationToken::new();
    engine.work_off(world.instance_id, &stop).await.unwrap();
    assert_eq!(world.database.ask(queued.to_owned()).await, ["0"]);
    let behind = async || {
        let shown = tenant_change::show(&app, &operator(), acme.id).await.unwrap();
        let [behind] = <[_; 1]>::try_from(shown.behind).unwrap();
        assert_eq!(behind.instance, world.instance_id);
        behind
    };
    let ended = "select cast(max(ended_at) as text) from deployments where scope = 'tenant_status'";
    let ended: i64 = world.database.ask(ended.to_owned()).await[0].parse().unwrap();
    let shown = behind().await;
    assert!(
        shown.reason.unwrap().contains("deploy again"),
        "as the record has it"
    );
    assert_eq!(shown.again_at.unwrap().as_microsecond(), ended + 120_000_000);
    world
        .database
        .sql("update deployments set ended_at = ended_at - 61000000")
        .await;
    upkeep(&app).await;
    assert_eq!(world.database.ask(queued.to_owned()).await, ["0"]);
    // Somebody changes something of the tenant: it may be mended.
    world
        .database
        .sql("update tenants set updated_at = updated_at + 3600000000")
        .await;
    upkeep(&app).await;
    assert_eq!(world.database.ask(queued.to_owned()).await, ["1"]);
    let shown = behind().await;
    assert_eq!((shown.reason, shown.again_at), (None, None), "one is under way");
}

/// `deploy.mode = "auto"` puts live what is edited, and not what somebody went back from.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_a_suspension_brings_nothing_back_that_was_gone_back_from(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let good = world.deploy(&acme).await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Mistake"})).await;
    world.deploy(&acme).await.expect(Live);
    let back = deployments::roll_back(&world.app, &acme.caller, good.deployment.id, None).await;
    super::world::ended(&world.app, &back.unwrap().into_inner())
        .await
        .expect(Live);
    let nothing_is_asked_for = async || {
        let pending = auto_deploy::pending(&world.app, world.instance_id).await.unwrap();
        let asked = auto_deploy::request(&world.app, acme.id).await.unwrap();
        !pending.iter().any(|pending| pending.tenant_id == acme.id) && asked.is_none()
    };
    assert!(nothing_is_asked_for().await);
    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    assert!(nothing_is_asked_for().await, "before it is carried out");
    followed(&world, &suspended.deployments).await.expect(Live);
    assert!(nothing_is_asked_for().await);
    let back = tenant_status::reactivate(&world.app, &operator(), acme.id, &IfMatch::Any)
        .await
        .unwrap();
    followed(&world, &back.deployments).await.expect(Live);
    assert!(nothing_is_asked_for().await);
    assert_eq!(caller_id(&world, ACME).unwrap(), "\"acme\" <1001>");
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    assert!(!nothing_is_asked_for().await);
}

/// A deploy that waits in front of it goes live, and stays so.
#[tokio::test]
async fn o29_a_suspension_serves_what_is_live_when_its_turn_comes() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Edited"})).await;
    let asked = world.request(&acme).await;
    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    followed(&world, &suspended.deployments).await;
    record(&world.app, &asked).await.expect(Live);
    let back = tenant_status::reactivate(&world.app, &operator(), acme.id, &IfMatch::Any)
        .await
        .unwrap();
    followed(&world, &back.deployments).await.expect(Live);
    assert_eq!(caller_id(&world, ACME).unwrap(), "\"Edited\" <1001>");
}

/// What is not served need not be right.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_a_blocked_tenant_is_not_held_against_a_deploy_of_others(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, with_mailbox("1001", "Ann")).await;
    let globex = world.tenant("globex").await;
    let gina = world.extension(&globex, with_mailbox("1002", "Gina")).await;
    world.deploy_platform().await.expect(Live);
    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    followed(&world, &suspended.deployments).await.expect(Live);
    world
        .change_settings(|settings| settings.emergency_numbers.push("1001".parse().unwrap()))
        .await;
    let deployed = world.deploy_platform().await;
    assert!(!deployed.codes().contains(&"emergency_number"), "{deployed:?}");
    assert!(matches!(deployed.status(), Live | Unchanged), "{deployed:?}");
    assert!(world.registers(&globex, &gina));
}
