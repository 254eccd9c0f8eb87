//! Templates that change, a tenant that a template does not take, and edits in the middle of a deploy.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected};
use switchyard::domain::fusionpbx_row::id_of;

use super::rig::{Kind, Rig};
use super::support::database::Backend::Sqlite;
use super::support::world::{ended, operator};

/// The template of a kind's dialplan, a text in it, and one that may stand in its place.
const fn dialplan(kind: Kind) -> (&'static str, &'static str, &'static str) {
    let (wait, longer) = ("data=\"1000\"", "data=\"1500\"");
    match kind {
        Kind::Asterisk => ("asterisk/extensions.conf", "*8,1,Pickup()", "*8,1,Pickup(1001)"),
        Kind::FusionPbx => ("fusionpbx/dialplan.xml", wait, longer),
        Kind::FreeSwitch => ("freeswitch/dialplan.xml", wait, longer),
    }
}

#[rstest]
#[tokio::test]
async fn a_platform_rollback_is_made_with_the_templates_of_its_generation(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, _], ..) = Rig::live(kind, Sqlite).await;
    let (first, before) = (rig.world.live().await.unwrap(), rig.pbx.dialplan().await);
    let (template, text, later) = dialplan(kind);
    assert!(before.contains(text) && !before.contains(later));
    rig.world
        .override_template(template, |built_in| built_in.replace(text, later));
    rig.world.patch(&acme, &ann, json!({"name": "Later"})).await;
    rig.world.deploy_platform().await.expect(Live);
    let after = rig.pbx.dialplan().await;
    assert!(after.contains(later) && !after.contains(text));
    rig.assert_well().await;

    let id = rig.world.instance_id;
    let asked = deployments::roll_back_instance(&rig.world.app, &operator(), id, first).await;
    ended(&rig.world.app, &asked.unwrap()).await.expect(Live);
    assert_eq!(rig.pbx.dialplan().await, before);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    rig.assert_well().await;
}

#[rstest]
#[tokio::test]
async fn a_tenant_that_a_template_does_not_take_keeps_nobody_else_from_being_served(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    // Templates are tried with a tenant of their own first, whose domain is acme's.
    let initech = rig.world.tenant("initech").await;
    let ian = rig.world.extension(&initech, "1001", "Ian").await;
    let globex = rig.world.tenant("globex").await;
    let gina = rig.world.extension(&globex, "1001", "Gina").await;
    let (template, ..) = dialplan(kind);
    let (field, value) = match kind {
        Kind::Asterisk | Kind::FreeSwitch => ("tenant.domain", initech.domain.clone()),
        Kind::FusionPbx => ("uuid", id_of(initech.id.uuid(), "dialplan").to_string()),
    };
    let poison = format!("{{% if {field} == \"{value}\" %}}{{{{ nowhere }}}}{{% endif %}}");
    rig.world
        .override_template(template, |built_in| format!("{built_in}{poison}"));
    let first = rig.world.deploy_platform().await.expect(Partial);
    let mut findings = first.deployment.findings.iter();
    assert!(
        findings.any(|finding| finding.is_error() && finding.tenant_id == Some(initech.id)),
        "{first:#?}"
    );
    assert!(rig.lets_in(&globex, &gina).await && !rig.lets_in(&initech, &ian).await);
    assert_eq!(rig.name_of(&initech, "1001").await, None);

    rig.world.remove_override(template);
    rig.world.deploy_platform().await.expect(Live);
    assert!(rig.lets_in(&globex, &gina).await && rig.lets_in(&initech, &ian).await);

    // Where they do not take somebody who is served already, nobody goes over to them; what does not need them goes on.
    rig.world
        .override_template(template, |built_in| format!("{built_in}{poison}"));
    rig.world.patch(&initech, &ian, json!({"name": "Later"})).await;
    rig.world.patch(&globex, &gina, json!({"name": "Moved"})).await;
    rig.world.deploy_platform().await.expect(Rejected);
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    rig.world.deploy(&globex).await.expect(Live);
    assert_eq!(rig.name_of(&initech, "1001").await.as_deref(), Some("Ian"));
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Moved"));
    assert!(rig.lets_in(&initech, &ian).await);
}

/// What was asked for is what goes live, and what was done since goes with the next.
#[rstest]
#[tokio::test]
async fn what_is_changed_and_deleted_while_a_deploy_goes_on_is_of_the_next_one(
    #[values(Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, bob], globex, gina) = Rig::live(kind, Sqlite).await;
    rig.world.patch(&acme, &ann, json!({"name": "Second"})).await;
    let faults = rig.pbx.freeswitch().unwrap().faults();
    faults.delay(Duration::from_millis(250));
    let request = rig.world.request(&acme).await;
    let edits = async {
        // It has begun to speak with FreeSWITCH by then, and goes on for several answers more.
        tokio::time::sleep(Duration::from_millis(400)).await;
        rig.world.patch(&acme, &ann, json!({"name": "Third"})).await;
        rig.world.delete(&acme, &bob).await;
        rig.world.extension(&acme, "1007", "New").await;
        rig.world.patch(&globex, &gina, json!({"name": "Third"})).await;
        deployments::find(&rig.world.app, &acme.caller, request.id)
            .await
            .unwrap()
            .0
    };
    let (ended, meanwhile) = tokio::join!(ended(&rig.world.app, &request), edits);
    assert!(!meanwhile.status.is_end(), "it ended before it was edited");
    ended.expect(Live);
    faults.clear();
    for (number, name) in [("1001", Some("Second")), ("1002", Some("Bob")), ("1007", None)] {
        assert_eq!(rig.name_of(&acme, number).await.as_deref(), name, "{number}");
    }
    assert!(rig.lets_in(&acme, &bob).await);
    rig.assert_well().await;

    rig.world.deploy(&acme).await.expect(Live);
    for (number, name) in [("1001", Some("Third")), ("1002", None), ("1007", Some("New"))] {
        assert_eq!(rig.name_of(&acme, number).await.as_deref(), name, "{number}");
    }
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    rig.assert_well().await;
}
