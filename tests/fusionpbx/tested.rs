//! The connection test: each part that lacks is named, with what mends it.

use std::collections::BTreeMap;

use rstest::rstest;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
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
            [
                "call_records",
                "database",
                "event_socket",
                "rights",
                "state_dir",
                "tables"
            ]
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
    RightOnCalls,
    TableOfCalls,
    ColumnOfCalls,
    SocketPassword,
    SocketClosed,
    Address,
}

#[rstest]
#[case(Lack::DatabasePassword, "database", "pg_hba.conf")]
#[case(Lack::DatabaseNotThere, "database", "listen_addresses")]
#[case(Lack::Table, "tables", "grants.sql")]
#[case(Lack::Right, "rights", "grants.sql")]
#[case(Lack::RightOnCalls, "call_records", "grants.sql")]
#[case(Lack::TableOfCalls, "call_records", "grants.sql")]
#[case(Lack::ColumnOfCalls, "call_records", "Upgrade")]
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
        Lack::RightOnCalls => {
            world
                .fusionpbx
                .run(&format!("revoke select on v_xml_cdr from {role}"))
                .await;
        }
        Lack::TableOfCalls => world.fusionpbx.run("drop table v_xml_cdr").await,
        Lack::ColumnOfCalls => {
            world
                .fusionpbx
                .run("alter table v_xml_cdr drop column end_epoch")
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

/// Whoever gets hold of the role has the rows of tenants in hand, and nothing else of FusionPBX.
#[tokio::test]
async fn what_the_project_does_not_grant_is_refused() {
    let world = World::new(Native).await;
    let settings = &world.settings;
    let mut url: url::Url = world.fusionpbx.url().parse().unwrap();
    url.set_username(settings.database_username.as_str()).unwrap();
    url.set_password(world.secrets.database.as_ref().map(ExposeSecret::expose_secret))
        .unwrap();
    let mut role = PgConnection::connect(url.as_str()).await.unwrap();
    let granted = [
        "v_domains",
        "v_extensions",
        "v_extension_settings",
        "v_voicemails",
        "v_dialplans",
    ];
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
            .fetch_all(&mut role)
            .await
            .unwrap();
    let (ours, theirs): (Vec<&str>, Vec<&str>) = tables
        .iter()
        .map(String::as_str)
        .partition(|table| granted.contains(table));
    assert!(ours.len() == granted.len() && theirs.len() > 5, "{tables:?}");
    let mut refused = vec![
        "create table public.mine (id int)".to_owned(),
        "create role another".to_owned(),
    ];
    for table in &theirs {
        refused.extend([
            format!("select * from {table}"),
            format!("insert into {table} default values"),
        ]);
        // What is kept no longer goes, and nothing of it is changed.
        let refused_beside = match *table {
            "v_voicemail_messages" => ["update", "set message_status = ''"],
            _ => ["delete from", ""],
        };
        refused.push(refused_beside.join(&format!(" {table} ")));
    }
    refused.push("select message_transcription from v_voicemail_messages".to_owned());
    for table in &ours {
        refused.extend([
            format!("truncate {table}"),
            format!("create trigger mine after insert on {table} execute function suppress_redundant_updates_trigger()"),
        ]);
    }
    refused.push("select xml, json from v_xml_cdr".to_owned());
    refused.push("copy v_domains to program 'true'".to_owned());
    refused.push("select pg_read_file('/etc/passwd')".to_owned());
    for statement in refused {
        let error = role.execute(AssertSqlSafe(statement.clone())).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{statement}: {error}");
    }
}
