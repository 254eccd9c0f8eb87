//! Drift, a PBX that cannot be told, and a process that dies in the middle.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack, Unchanged};
use switchyard::domain::finding::Finding;
use switchyard::domain::instance::InstanceSettings;
use tokio_util::sync::CancellationToken;

use super::freeswitch::{Effect, Fault, NewCall};
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
async fn what_is_applied_and_not_proven_is_rolled_back_and_that_is_proven(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, bob], globex, gina) = Rig::live(kind, Sqlite).await;
    let before = rig.world.standing().await;
    rig.world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.world.delete(&acme, &bob).await;
    rig.pbx.spoil(&rig.world, &acme.domain).await;
    let ended = rig.world.deploy_platform().await.expect(RolledBack);
    let differs = |finding: &&Finding| finding.is_error() && finding.tenant_id == Some(acme.id);
    assert!(
        ended.deployment.findings.iter().any(|finding| differs(&finding)),
        "{ended:#?}"
    );
    assert_eq!(rig.world.standing().await, before);
    for (number, name) in [("1001", "Ann"), ("1002", "Bob")] {
        assert_eq!(rig.name_of(&acme, number).await.as_deref(), Some(name));
    }
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        assert!(rig.lets_in(tenant, phone).await, "{}", phone.number());
    }
    rig.assert_well().await;
}

/// Where a FreeSWITCH is told who is gone. A phone that stays signed in undoes the deploy. So does a call in a FusionPBX, whose
/// note says that FreeSWITCH was not told all; a file says nothing of calls, and one that goes on is named.
#[rstest]
#[case::at_the_end_of_registrations("flush_inbound_reg")]
#[case::at_the_question_for_calls("show channels")]
#[case::at_the_end_of_a_call("uuid_kill")]
#[tokio::test]
async fn a_connection_that_breaks_while_somebody_is_sent_away_leaves_nothing_untold(
    #[values(Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
    #[case] at: &str,
) {
    let is_told = kind == Kind::FreeSwitch && at != "flush_inbound_reg";
    let (rig, acme, [_, bob], ..) = Rig::live(kind, Sqlite).await;
    assert!(rig.lets_in(&acme, &bob).await);
    let freeswitch = rig.pbx.freeswitch().unwrap();
    let call = freeswitch.add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    rig.world.delete(&acme, &bob).await;
    freeswitch.faults().add(Fault::at(at, Effect::CloseUndone));
    let ended = rig.world.deploy(&acme).await;
    let ended = ended.expect(if is_told { Live } else { RolledBack });
    assert_eq!(freeswitch.calls(), [call]);
    assert_eq!(ended.codes().contains(&"calls_not_ended"), is_told, "{ended:#?}");
    assert_eq!(rig.lets_in(&acme, &bob).await, !is_told);
    rig.assert_well().await;
    if !is_told {
        rig.world.deploy(&acme).await.expect(Live);
        assert!(!rig.lets_in(&acme, &bob).await);
        assert_eq!(freeswitch.calls(), [""; 0]);
        rig.assert_well().await;
    }
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
