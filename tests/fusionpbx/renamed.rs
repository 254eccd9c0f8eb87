//! A tenant that was given another domain.

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_change;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::freeswitch::{Admitted, NewCall, Refused};
use super::fusionpbx::Booleans::Native;
use super::world::{TestTenant, World, operator};

const NEW: &str = "acme-two.example.com";

#[tokio::test]
async fn c15_a_tenant_with_another_domain_is_served_under_that_one_alone_and_a_deploy_says_so() {
    let world = World::new(Native).await;
    let (acme, [ann, _], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
    world.register(&globex, &gina).await.unwrap();
    let patch = serde_json::from_value(json!({ "domain": NEW })).unwrap();
    tenant_change::change(&world.app, &operator(), acme.id, patch, &IfMatch::Any)
        .await
        .unwrap();
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(ended.codes().contains(&"alias_not_served"), "{ended:#?}");
    assert!(ended.words().contains(&acme.domain), "{ended:#?}");

    assert_eq!(world.name_of(&acme, "1001").await, None);
    assert_eq!(world.register(&acme, &ann).await, Err(Refused::Unknown));
    let left: Vec<String> = world
        .freeswitch
        .phones()
        .into_iter()
        .map(|phone| phone.domain)
        .collect();
    assert_eq!(left, [globex.domain.as_str()]);
    for table in ["v_domains", "v_extensions", "v_dialplans"] {
        let rows = world.ours(table).await;
        let rows = rows.iter().filter(|row| !row.contains("switchyard-note"));
        let old: Vec<_> = rows.filter(|row| row.contains(&acme.domain)).collect();
        assert!(old.is_empty(), "{table}: {old:?}");
    }
    let renamed = TestTenant {
        domain: NEW.to_owned(),
        ..acme
    };
    assert_eq!(world.name_of(&renamed, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.register(&renamed, &ann).await, Ok(Admitted::Hash));
    assert!(world.is_verified().await);
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

/// Whoever goes with the domain's former name may talk on, and whoever is removed may not.
#[tokio::test]
async fn with_another_domain_the_call_of_a_removed_extension_ends_and_those_of_the_others_go_on() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1002", "5550199"));
    let stays = NewCall::within(&acme.domain, "1001", "5550198");
    let stays = world.freeswitch.add_call(&stays);
    let patch = serde_json::from_value(json!({ "domain": NEW })).unwrap();
    tenant_change::change(&world.app, &operator(), acme.id, patch, &IfMatch::Any)
        .await
        .unwrap();
    world.delete(&acme, &bob).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert_eq!(world.freeswitch.calls(), [stays], "{ended:#?}");
}
