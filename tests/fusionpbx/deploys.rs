//! What a deploy writes, and that phones sign in with it.

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::freeswitch::{Admitted, Keys, Refused};
use super::fusionpbx::Booleans::{self, Native, Text};
use super::fusionpbx::OPERATOR;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

#[rstest]
#[case::as_of_5_5(Sqlite, Native, Keys::Plain)]
#[case::as_of_5_5_7(Postgres, Native, Keys::WithHostname)]
#[case::as_until_5_4(Sqlite, Text, Keys::Plain)]
#[tokio::test]
async fn a_first_deploy_lets_phones_in_by_their_hash_and_touches_nobody_elses_row(
    #[case] backend: Backend,
    #[case] booleans: Booleans,
    #[case] keys: Keys,
) {
    let world = World::with(backend, booleans, keys).await;
    let (acme, [ann, bob], globex, gina) = world.acme_and_globex().await;
    assert_eq!(world.register(&acme, &ann).await, Err(Refused::Unknown));
    world.deploy_platform().await.expect(Live);
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        assert_eq!(world.register(tenant, phone).await, Ok(Admitted::Hash));
    }
    let empty = world
        .freeswitch
        .register("internal", "1001", &acme.domain, "")
        .await;
    assert_eq!(empty, Err(Refused::WrongPassword));
    let foreign = world
        .freeswitch
        .register("internal", "1001", &acme.domain, gina.secrets.sip.expose())
        .await;
    assert_eq!(foreign, Err(Refused::WrongPassword));
    world.assert_untouched(&world.fusionpbx.snapshot().await);
    let theirs = world
        .freeswitch
        .register("internal", "1001", OPERATOR, "throwaway1")
        .await;
    assert_eq!(theirs, Ok(Admitted::Password));
    for (table, count) in [
        ("v_domains", 2),
        ("v_extensions", 3),
        ("v_extension_settings", 6),
        ("v_voicemails", 3),
        // One of each tenant, and the note.
        ("v_dialplans", 3),
        ("v_users", 0),
    ] {
        assert_eq!(world.ours(table).await.len(), count, "{table}");
    }
    assert!(world.is_verified().await);
    assert_eq!(world.standing().await, world.live().await);
}

#[tokio::test]
async fn no_secret_of_a_phone_is_in_their_database() {
    let world = World::new(Native).await;
    let (_, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    for table in ["v_extensions", "v_extension_settings", "v_dialplans"] {
        let rows = world.ours(table).await;
        assert!(!rows.is_empty());
        assert!(
            rows.iter().all(|row| !row.contains(ann.secrets.sip.expose())),
            "{table}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_second_deploy_of_the_same_writes_nothing_and_asks_nothing_of_the_cache(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::on(backend).await;
    world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let before = world.fusionpbx.snapshot().await;
    world.freeswitch.journal().clear();
    world.deploy_platform().await.expect(Unchanged);
    assert_eq!(world.fusionpbx.snapshot().await, before);
    assert_eq!(world.freeswitch.journal().with("api lua").len(), 0);
}

#[tokio::test]
async fn every_tenant_hears_its_echo_beside_what_fusionpbx_has_for_every_domain() {
    let world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let context = world
        .freeswitch
        .context(&acme.domain, "*43")
        .await
        .unwrap()
        .text();
    for part in ["switchyard-echo", "local_extension", "^\\*43$"] {
        assert!(context.contains(part), "{part}: {context}");
    }
    assert!(!context.contains("switchyard-note"));
}
