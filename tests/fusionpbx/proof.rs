//! What counts as proven: that FusionPBX's cache has let go of what it had, and that each user is served from its own rows.

use serde_json::json;
use switchyard::app::extensions;
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack};

use super::freeswitch::{Effect, Fault};
use super::fusionpbx::Booleans::Native;
use super::world::World;

/// The question for the digest of a user's rows.
const QUESTION: &str = "var switchyard_row";

/// FusionPBX says so, and nothing else would: what stays in the cache may be a dialplan, which nobody can ask for.
#[tokio::test]
async fn a_key_that_fusionpbx_cannot_delete_is_named_and_nothing_counts_as_live() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let context = world.freeswitch.context(&acme.domain, "*43").await;
    assert!(context.is_some());
    world.freeswitch.cache().keep("dialplan:acme");
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"state_unknown"), "{ended:#?}");
    for part in ["could not delete dialplan:acme.example.com", "empty the cache"] {
        assert!(ended.words().contains(part), "{part}: {ended:#?}");
    }
    world.freeswitch.cache().keep_none();
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

/// Of more than fifty in a tenant, each is asked for by one question beside what it signs in with, there and on the way back.
#[tokio::test]
async fn of_many_changed_extensions_each_is_proven_by_all_of_its_rows_there_and_on_the_way_back() {
    const MANY: usize = 52;
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    let mut phones = Vec::new();
    for place in 0..MANY {
        phones.push(world.extension(&acme, &(1000 + place).to_string(), "Phone").await);
    }
    world.deploy(&acme).await.expect(Live);
    for phone in &phones {
        world
            .patch(&acme, phone, json!({"outbound_class": "international"}))
            .await;
    }
    world.freeswitch.faults().add(Fault::at(
        format!("user_data 1007@acme.example.com {QUESTION}"),
        Effect::Print("former".to_owned()),
    ));
    world.freeswitch.journal().clear();
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"user_differs"), "{ended:#?}");
    assert!(ended.words().contains("its rows are other ones"), "{ended:#?}");
    assert_eq!(world.freeswitch.journal().with(QUESTION).len(), 2 * MANY);
    let user = world.freeswitch.user("1007", &acme.domain).await.unwrap();
    assert_ne!(
        user.shown("var", "toll_allow"),
        Some("local,domestic,international")
    );
    world.deploy(&acme).await.expect(Live);
    let user = world.freeswitch.user("1007", &acme.domain).await.unwrap();
    assert_eq!(
        user.shown("var", "toll_allow"),
        Some("local,domestic,international")
    );
}

/// Its password is empty, and a lookup reads an extension first and what signs in afterwards.
#[tokio::test]
async fn a_lookup_in_the_midst_of_a_removal_finds_nobody_who_may_sign_in_with_nothing() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.delete(&acme, &bob).await;
    world.freeswitch.forget("1002", &acme.domain);
    world.freeswitch.journal().clear();
    world.freeswitch.halfway().hold();
    let lookup = world.freeswitch.user("1002", &acme.domain);
    let removal = async {
        world.freeswitch.halfway().until_under_way(1).await;
        let telling = async {
            while world.freeswitch.journal().with("api lua").is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            world.freeswitch.halfway().let_go();
        };
        tokio::join!(world.deploy(&acme), telling).0
    };
    let (found, removed) = tokio::join!(lookup, removal);
    removed.expect(Live);
    assert!(found.unwrap().param("a1-hash").is_some());
    assert_eq!(world.name_of(&acme, "1002").await, None);
    // One extension is left of acme, and one of globex; each has two.
    assert_eq!(world.ours("v_extension_settings").await.len(), 4);
    assert!(world.is_verified().await);
}

/// Nothing else of such a user is another one than before.
#[tokio::test]
async fn a_forward_that_alone_is_another_one_is_proven_by_the_digest() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let user = world.freeswitch.user("1001", &acme.domain).await.unwrap();
    let former = user.shown("var", "switchyard_row").unwrap().to_owned();
    let forward = json!({"forward": {"always": "5550100"}});
    world.patch(&acme, &ann, forward).await;
    world.freeswitch.faults().add(Fault::at(
        format!("user_data 1001@acme.example.com {QUESTION}"),
        Effect::Print(former),
    ));
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.words().contains("its rows are other ones"), "{ended:#?}");
    world.deploy(&acme).await.expect(Live);
    let user = world.freeswitch.user("1001", &acme.domain).await.unwrap();
    assert_eq!(user.shown("var", "forward_all_destination"), Some("5550100"));
}

/// Nobody knows that secret any more, but what was staged of it.
#[tokio::test]
async fn what_phones_signed_in_with_before_is_proven_on_the_way_back() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let rotated = extensions::rotate_secret(&world.app, &acme.caller, ann.extension.id, &IfMatch::Any);
    rotated.await.unwrap();
    let answers = Fault::at(
        "user_data 1001@acme.example.com param a1-hash",
        Effect::Print("another".to_owned()),
    );
    world.freeswitch.faults().add(answers.clone());
    world.deploy(&acme).await.expect(RolledBack);
    world.register(&acme, &ann).await.unwrap();

    world.freeswitch.faults().add(answers.always());
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"state_unknown"), "{ended:#?}");
    world.freeswitch.faults().clear();
    world.deploy(&acme).await.expect(Live);
    world.register(&acme, &ann).await.unwrap_err();
    assert!(world.is_verified().await);
}

/// What was not touched is in the cache as it was.
#[tokio::test]
async fn a_deploy_that_is_taken_back_leaves_other_tenants_in_the_cache() {
    let world = World::new(Native).await;
    let (acme, [ann, _], globex, _) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world
        .freeswitch
        .faults()
        .add(Fault::at(QUESTION, Effect::Print("former".to_owned())));
    world.freeswitch.journal().clear();
    world.deploy(&acme).await.expect(RolledBack);
    let deletions = world.freeswitch.journal().with("api lua");
    assert!(!deletions.is_empty());
    let others = deletions
        .iter()
        .filter(|deletion| deletion.command.contains("globex"));
    assert_eq!(others.count(), 0, "{deletions:?}");
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert!(world.is_verified().await);
}
