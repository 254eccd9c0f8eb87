//! Tenants and extensions that stand on a FusionPBX are brought in for another PBX, and it is only read.

use rstest::rstest;
use switchyard::app::pbx_import::{self, Manner, PbxImportReport};
use switchyard::app::{extensions, instances, tenants};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::query::TenantQuery;

use super::freeswitch::Keys;
use super::fusionpbx::Booleans::{self, Native, Text};
use super::fusionpbx::ExtensionRow;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

/// An Asterisk of the same host; nothing of it is asked.
async fn asterisk(world: &World) -> InstanceId {
    let new = instances::NewInstance {
        name: "other".parse().unwrap(),
        node: "here".parse().unwrap(),
        settings: InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: 5038,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: "/etc/asterisk/switchyard".parse().unwrap(),
            ami_tls: None,
            log_file: None,
            emergency_numbers: Vec::new(),
        }),
        secrets: InstanceSecrets::of_control("secret".to_owned().into()),
    };
    instances::create(&world.app, &operator(), new).await.unwrap().id
}

async fn import(world: &World, onto: InstanceId, domains: &[&str], skip_wrong: bool) -> PbxImportReport {
    let domains: Vec<_> = domains.iter().map(|domain| domain.parse().unwrap()).collect();
    let manner = Manner {
        dry_run: false,
        skip_wrong,
    };
    pbx_import::from_fusionpbx(&world.app, &operator(), world.instance_id, &domains, onto, manner)
        .await
        .unwrap()
}

#[rstest]
#[case(Sqlite, Native)]
#[case(Postgres, Text)]
#[tokio::test]
async fn c18_domains_become_tenants_and_ours_stay_what_they_are(
    #[case] backend: Backend,
    #[case] booleans: Booleans,
) {
    let mut world = World::with(backend, booleans, Keys::Plain).await;
    let onto = asterisk(&world).await;
    world.acme_and_globex().await;
    world.deploy_platform().await;
    let uuid = world.fusionpbx.add_domain("theirs.example.com").await;
    for (number, password) in [
        ("1001", Some("ThrowAwaySecret1")),
        ("1002", Some("p w!")),
        ("1003", None),
    ] {
        let row = ExtensionRow {
            domain_uuid: &uuid,
            domain: "theirs.example.com",
            number,
            number_alias: None,
            password,
            name: "Ann",
        };
        world.fusionpbx.add_extension(&row).await;
    }
    world.others = world.fusionpbx.snapshot().await;
    let report = import(&world, onto, &["theirs.example.com"], false).await;
    assert_eq!((report.imported, report.good, report.bad), (true, 3, 0));
    let [tenant] = report.tenants.as_slice() else {
        panic!("{} tenants", report.tenants.len())
    };
    let notes: Vec<&str> = tenant
        .extensions
        .iter()
        .map(|extension| extension.notes.last().map_or("", String::as_str))
        .collect();
    assert_eq!(notes[0], "");
    assert!(notes[1].contains("only the digest"), "{notes:?}");
    assert!(
        notes[2].contains("neither a password nor an a1-hash"),
        "{notes:?}"
    );
    assert_eq!(world.fusionpbx.snapshot().await, world.others, "it is only read");

    let found = tenants::list(&world.app, &operator(), &TenantQuery::default())
        .await
        .unwrap();
    let theirs = found
        .items
        .iter()
        .find(|found| found.tenant.domain.as_str() == "theirs.example.com")
        .unwrap();
    assert_eq!(theirs.tenant.instance_id, onto);
    let caller = switchyard::app::operator::in_tenant(&theirs.tenant, None);
    let first = extensions::find_by_number(&world.app, &caller, &"1001".parse().unwrap())
        .await
        .unwrap();
    let shown = extensions::reveal_secret(
        &world.app,
        &caller,
        first.id,
        &switchyard::app::precondition::IfMatch::Any,
    )
    .await
    .unwrap();
    assert_eq!(shown.sip.expose(), "ThrowAwaySecret1");

    let again = import(&world, onto, &["theirs.example.com"], true).await;
    assert_eq!((again.imported, again.good, again.bad), (false, 0, 1));
    assert!(
        again.tenants[0]
            .errors
            .to_string()
            .contains("a tenant that is here")
    );
}

#[tokio::test]
async fn c18_what_an_operator_has_in_it_comes_with_a_report_of_every_row() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    let report = import(&world, onto, &[], true).await;
    assert!(!report.tenants.is_empty());
    for tenant in &report.tenants {
        assert!(
            tenant.errors.is_empty() || tenant.extensions.is_empty(),
            "{}",
            tenant.domain
        );
        for extension in &tenant.extensions {
            assert!(!extension.place.is_empty());
        }
    }
    assert_eq!(world.fusionpbx.snapshot().await, world.others, "it is only read");
    let manner = Manner {
        dry_run: true,
        skip_wrong: false,
    };
    let wanted = ["nobody.example.com".parse().unwrap()];
    let missing =
        pbx_import::from_fusionpbx(&world.app, &operator(), world.instance_id, &wanted, onto, manner).await;
    let said = missing.err().unwrap().to_string();
    assert!(said.contains("nobody.example.com"), "{said}");
}
