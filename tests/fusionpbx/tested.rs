//! The connection test: each part that lacks is named, with what mends it.

use std::collections::BTreeMap;

use rstest::rstest;
use switchyard::driver::Check;

use super::fusionpbx::Booleans::{Native, Text};
use super::world::World;

async fn checks(world: &World) -> BTreeMap<&'static str, Check> {
    let checks = world.driver().await.test().await;
    checks.into_iter().map(|check| (check.name, check)).collect()
}

#[tokio::test]
async fn what_the_project_grants_suffices_on_both_ways_of_keeping_booleans() {
    for booleans in [Native, Text] {
        let world = World::new(booleans).await;
        let checks = checks(&world).await;
        let names: Vec<&str> = checks.keys().copied().collect();
        assert_eq!(
            names,
            ["database", "event_socket", "rights", "state_dir", "tables"]
        );
        assert!(checks.values().all(|check| check.ok), "{checks:#?}");
    }
}

/// What lacks.
#[derive(Clone, Copy)]
enum Lack {
    DatabasePassword,
    DatabaseNotThere,
    Table,
    Right,
    SocketPassword,
    SocketClosed,
    Address,
}

#[rstest]
#[case(Lack::DatabasePassword, "database", "pg_hba.conf")]
#[case(Lack::DatabaseNotThere, "database", "listen_addresses")]
#[case(Lack::Table, "tables", "grants.sql")]
#[case(Lack::Right, "rights", "grants.sql")]
#[case(Lack::SocketPassword, "event_socket", "event_socket.conf.xml")]
#[case(Lack::SocketClosed, "event_socket", "FreeSWITCH runs")]
#[case(Lack::Address, "event_socket", "apply-inbound-acl")]
#[tokio::test]
async fn what_lacks_is_the_only_thing_that_is_named(
    #[case] lack: Lack,
    #[case] name: &str,
    #[case] mend: &str,
) {
    let mut world = World::new(Native).await;
    let role = world.settings.database_username.to_string();
    match lack {
        Lack::DatabasePassword => {
            world
                .reach(|_, secrets| secrets.database = Some("wrong".into()))
                .await;
        }
        Lack::DatabaseNotThere => world.reach(|settings, _| settings.database_port = 1).await,
        Lack::Table => {
            world
                .fusionpbx
                .run("alter table v_domains rename column domain_name to name")
                .await;
        }
        Lack::Right => {
            world
                .fusionpbx
                .run(&format!("revoke delete on v_dialplans from {role}"))
                .await;
        }
        Lack::SocketPassword => world.freeswitch.change_password("another"),
        Lack::SocketClosed => world.freeswitch.close().await,
        Lack::Address => world.freeswitch.faults().deny_address(true),
    }
    let checks = checks(&world).await;
    let failed: Vec<&Check> = checks.values().filter(|check| !check.ok).collect();
    assert_eq!(failed.len(), 1, "{checks:#?}");
    assert_eq!(failed[0].name, name);
    assert!(failed[0].mend.as_ref().unwrap().contains(mend), "{failed:#?}");
    if matches!(lack, Lack::Right) {
        assert!(failed[0].detail.contains("delete on v_dialplans"), "{failed:#?}");
        let settings = &world.settings;
        let mend = format!("psql {} -v role={role} -f", settings.database_name);
        assert!(failed[0].mend.as_ref().unwrap().contains(&mend), "{failed:#?}");
    }
    let shown = format!("{checks:?}");
    assert!(!shown.contains(super::freeswitch::PASSWORD) && !shown.contains("\"wrong\""));
}

/// What is to be added may never be.
#[tokio::test]
async fn a_test_leaves_nothing_on_our_host() {
    let world = World::new(Native).await;
    let checks = checks(&world).await;
    assert!(checks["state_dir"].ok, "{checks:#?}");
    assert!(!world.staged().exists());
}
