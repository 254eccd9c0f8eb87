//! Drift, a PBX that cannot be told, and a process that dies in the middle.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Unchanged};
use switchyard::domain::instance::InstanceSettings;
use tokio_util::sync::CancellationToken;

use super::rig::{Kind, Rig};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::world::ended;

/// A process may have come to its end before it is seen in the middle; then there is another one.
const TRIES: usize = 40;

#[rstest]
#[tokio::test]
async fn what_somebody_made_of_what_is_written_is_named_and_the_next_deploy_mends_it(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, ..) = Rig::live(kind, Sqlite).await;
    rig.pbx.rename("Ann", "Edited").await;
    let seen = rig.world.look().await;
    let drift = seen.findings.iter().filter(|finding| finding.code == "drift");
    assert!(!seen.ok && drift.count() == 1, "{seen:#?}");
    assert!(format!("{seen:?}").contains("Edited"));
    assert!(format!("{:?}", rig.world.plan().await).contains("drift"));
    let mended = rig.world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    rig.assert_well().await;
    rig.world.deploy_platform().await.expect(Unchanged);
}

#[rstest]
#[tokio::test]
async fn a_pbx_that_cannot_be_told_is_left_as_it_is(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, _], ..) = Rig::live(kind, Sqlite).await;
    rig.world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let mut nowhere = rig.pbx.settings();
    match &mut nowhere {
        InstanceSettings::Asterisk(settings) => settings.ami_port = 1,
        InstanceSettings::FusionPbx(settings) => settings.event_socket_port = 1,
        InstanceSettings::FreeSwitch(settings) => settings.event_socket_port = 1,
    }
    let secrets = rig.pbx.secrets();
    let before = rig.world.standing().await;
    rig.world.reach(nowhere, &secrets).await;
    let failed = rig.world.deploy(&acme).await.expect(Failed);
    assert!(failed.codes().contains(&"pbx_unreachable"), "{failed:#?}");
    assert!(failed.words().contains("Nothing was touched"), "{failed:#?}");
    rig.world.reach(rig.pbx.settings(), &secrets).await;
    assert_eq!(rig.world.standing().await, before);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    rig.world.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

#[rstest]
#[tokio::test]
async fn what_a_process_left_that_died_once_it_had_moved_something_is_finished_by_the_next(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (rig, acme, [ann, _], ..) = Rig::live(kind, backend).await;
    for number in 0..TRIES {
        let name = format!("Ann {number}");
        rig.world.patch(&acme, &ann, json!({ "name": name })).await;
        let request = rig.world.request(&acme).await;
        let before = rig.world.standing().await;
        let stop = CancellationToken::new();
        let working = Box::pin(rig.world.engine.work_off(rig.world.instance_id, &stop));
        let moved = async {
            while rig.world.standing().await == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let died = tokio::select! {
            biased;
            () = moved => true,
            worked = working => worked.is_err(),
        };
        let app = rig.world.after_a_death();
        ended(&app, &request).await.expect(Live);
        assert_eq!(rig.name_of(&acme, "1001").await, Some(name));
        rig.assert_well().await;
        if died {
            return;
        }
    }
    panic!("no process was met in the middle");
}
