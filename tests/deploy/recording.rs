//! What a tenant says about recording holds over what its extensions say, is planned, and comes back with a rollback.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::app::own_tenant::{self, OwnTenantInput};
use switchyard::app::precondition::IfMatch;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::rollback::roll_back;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{TestTenant, World};

/// Whether calls to 1001 (never, of itself) and to 1002 (inbound) are recorded, by the live file.
fn recorded(world: &World) -> [bool; 2] {
    let text = std::fs::read_to_string(world.live_file(Artifact::Extensions)).unwrap();
    ["1001", "1002"].map(|number| {
        let begin = format!("exten => {number},1,Gosub(switchyard-extension");
        let line = text.lines().find(|line| line.starts_with(&begin)).unwrap();
        line.ends_with(",1))")
    })
}

async fn set(world: &World, tenant: &TestTenant, recording: &str) {
    let input = OwnTenantInput {
        recording: Some(recording.to_owned()),
        ..OwnTenantInput::default()
    };
    let changed = own_tenant::change(&world.app, &tenant.caller, input, &IfMatch::Any).await;
    assert_eq!(changed.unwrap().tenant.recording.as_str(), recording);
}

#[rstest]
#[tokio::test]
async fn a12_a_tenants_recording_policy_holds_over_its_extensions_and_is_planned_and_rolled_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    world
        .extension(&acme, json!({"number": "1001", "name": "Ann"}))
        .await;
    let bob = json!({"number": "1002", "name": "Bob", "recording": "inbound"});
    world.extension(&acme, bob).await;
    let globex = world.tenant("globex").await;
    let first = world.deploy(&acme).await.expect(Live);
    world.deploy(&globex).await.expect(Live);
    assert_eq!(recorded(&world), [false, true]);
    for (policy, both) in [("always", [true; 2]), ("never", [false; 2])] {
        set(&world, &acme, policy).await;
        let plan = deployments::plan(&world.app, &acme.caller).await.unwrap();
        let told: Vec<_> = plan.changes.iter().flat_map(|change| &change.fields).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].field.as_str(), &told[0].after),
            ("recording", &json!(policy))
        );
        world.deploy(&acme).await.expect(Live);
        assert_eq!(recorded(&world), both, "{policy}");
    }
    roll_back(&world, &acme, &first).await.expect(Live);
    assert_eq!(recorded(&world), [false, true]);
}

/// A sound that every Asterisk has which has any.
pub const SOUND: &str = "conf-now-recording";

pub async fn announce(world: &World, tenant: &TestTenant, sound: &str) {
    let input = OwnTenantInput {
        recording_notice: Some("all".to_owned()),
        recording_notice_sound: Some(sound.to_owned()),
        ..OwnTenantInput::default()
    };
    let changed = own_tenant::change(&world.app, &tenant.caller, input, &IfMatch::Any).await;
    changed.unwrap();
}

/// The line of 1002 in the live file.
pub fn line_of_1002(world: &World) -> String {
    let text = std::fs::read_to_string(world.live_file(Artifact::Extensions)).unwrap();
    let mut lines = text.lines();
    lines
        .find(|line| line.starts_with("exten => 1002,1,"))
        .unwrap()
        .to_owned()
}

#[rstest]
#[tokio::test]
async fn a12_what_recorded_calls_begin_with_is_planned_served_and_rolled_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    let bob = json!({"number": "1002", "name": "Bob", "recording": "inbound"});
    world.extension(&acme, bob).await;
    let first = world.deploy(&acme).await.expect(Live);
    assert!(line_of_1002(&world).ends_with(",1))"), "{}", line_of_1002(&world));
    announce(&world, &acme, SOUND).await;
    let plan = deployments::plan(&world.app, &acme.caller).await.unwrap();
    let told: Vec<_> = plan.changes.iter().flat_map(|change| &change.fields).collect();
    let told: Vec<_> = told
        .iter()
        .map(|field| (field.field.as_str(), &field.after))
        .collect();
    assert_eq!(
        told,
        [
            ("recording_notice", &json!("all")),
            ("recording_notice_sound", &json!(SOUND))
        ]
    );
    world.deploy(&acme).await.expect(Live);
    let line = line_of_1002(&world);
    assert!(line.ends_with(&format!(",1,all,{SOUND}))")), "{line}");
    roll_back(&world, &acme, &first).await.expect(Live);
    assert!(line_of_1002(&world).ends_with(",1))"), "{}", line_of_1002(&world));
}
