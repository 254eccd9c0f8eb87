//! What keeps an import from being one: tables that nobody knows, a database that goes, another host's PBX, a tenant that is full.

use switchyard::app::error::AppError;
use switchyard::app::instances;
use switchyard::app::pbx_import::{self, Manner};
use switchyard::domain::error_chain::error_chain;
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::InstanceSettings;

use super::brought_in::{ALL_OR_NONE, WHAT_IS_GOOD, asterisk, import, try_import};
use super::fusionpbx::Booleans::Native;
use super::relay::{Loss, Relay};
use super::world::{World, operator};

/// Why nothing came, all causes on one line; then nothing of it is here.
async fn refused(world: &World, onto: InstanceId) -> String {
    let refused = try_import(world, onto, &[], WHAT_IS_GOOD).await;
    let counts =
        "select cast(count(*) as text) from tenants union all select cast(count(*) as text) from extensions";
    assert_eq!(world.database.ask(counts.to_owned()).await, ["0", "0"]);
    error_chain(&refused.err().unwrap())
}

#[tokio::test]
async fn c18_a_schema_that_is_not_known_is_refused_with_what_was_found() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    for (odd, back, said) in [
        (
            "alter table v_extensions rename column password to secret",
            "alter table v_extensions rename column secret to password",
            "v_extensions.password not there",
        ),
        (
            "alter table v_extensions alter column enabled type smallint using 1",
            "alter table v_extensions alter column enabled type boolean using true",
            "v_extensions.enabled as smallint",
        ),
        (
            "alter table v_voicemails rename to v_mailboxes",
            "alter table v_mailboxes rename to v_voicemails",
            "the table v_voicemails not there; found: v_domains with 9 columns",
        ),
    ] {
        world.fusionpbx.run(odd).await;
        let refused = refused(&world, onto).await;
        assert!(refused.contains(said), "{refused}");
        world.fusionpbx.run(back).await;
    }
    assert!(import(&world, onto, &[], WHAT_IS_GOOD).await.imported);
}

#[tokio::test]
async fn c18_a_database_that_goes_in_the_middle_leaves_nothing_half_brought_in() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    let relay = Relay::before(world.settings.database_port);
    world
        .reach(|settings, _| settings.database_port = relay.port)
        .await;
    relay.lose("from v_voicemails", Loss::Connection);
    let error = try_import(&world, onto, &[], WHAT_IS_GOOD).await.err().unwrap();
    assert!(
        relay.has_lost() && error.is_unreachable(),
        "{}",
        error_chain(&error)
    );
    let told = "select action from audit_entries where action like 'tenant.%'";
    assert_eq!(world.database.ask(told.to_owned()).await, Vec::<String>::new());
    assert!(import(&world, onto, &[], WHAT_IS_GOOD).await.imported);
}

#[tokio::test]
async fn c18_of_another_hosts_fusionpbx_nothing_is_read_here() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    let new = instances::NewInstance {
        name: "theirs".parse().unwrap(),
        node: "there".parse().unwrap(),
        settings: InstanceSettings::FusionPbx(world.settings.clone()),
        secrets: world.secrets.clone(),
    };
    let theirs = instances::create(&world.app, &operator(), new).await.unwrap().id;
    let refused = pbx_import::from_fusionpbx(&world.app, &operator(), theirs, &[], onto, WHAT_IS_GOOD).await;
    let Err(AppError::Conflict { code, message }) = refused.map(|_| ()) else {
        panic!("it was read")
    };
    assert_eq!(code, "driven_elsewhere");
    assert!(
        message.contains("theirs is driven on the host there"),
        "{message}"
    );
}

#[tokio::test]
async fn c18_a_dry_run_says_of_a_limit_what_the_run_says_and_both_tell_every_row() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.database.sql("update tenants set max_extensions = 1").await;
    let directory = tempfile::tempdir().unwrap();
    let endpoint = |number| {
        format!(
            "[{number}]\ntype=endpoint\nauth={number}\n[{number}]\ntype=auth\nusername={number}\npassword=x\n"
        )
    };
    let pjsip = [endpoint("1001"), endpoint("1002"), endpoint("1")].concat();
    std::fs::write(directory.path().join("pjsip.conf"), pjsip).unwrap();
    for manner in [
        Manner {
            dry_run: true,
            ..ALL_OR_NONE
        },
        ALL_OR_NONE,
        WHAT_IS_GOOD,
    ] {
        let from = directory.path().to_owned();
        let report = pbx_import::from_asterisk(&world.app, &acme.caller, from, None, manner)
            .await
            .unwrap();
        assert_eq!((report.imported, report.good, report.bad), (false, 0, 1));
        assert!(report.is_all_wrong());
        let [tenant] = report.tenants.as_slice() else {
            panic!("{} tenants", report.tenants.len())
        };
        let said = tenant.errors.to_string();
        assert!(
            said.contains("max_extensions does not suffice for 2 more: the tenant may have 1"),
            "{said}"
        );
        assert_eq!((tenant.extensions.len(), tenant.aside.len()), (2, 1));
    }
    world.database.sql("update tenants set max_extensions = 2").await;
    let from = directory.path().to_owned();
    let report = pbx_import::from_asterisk(&world.app, &acme.caller, from, None, ALL_OR_NONE)
        .await
        .unwrap();
    assert_eq!((report.imported, report.good, report.bad), (true, 2, 0));
}
