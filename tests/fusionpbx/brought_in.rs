//! Tenants and extensions that stand on a FusionPBX are brought in for another PBX, and it is only read.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::error::AppError;
use switchyard::app::pbx_import::{self, ExtensionReport, Manner, PbxImportReport};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{extensions, instances, tenants};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::query::TenantQuery;
use switchyard::domain::secret::RevealedSecrets;
use switchyard::domain::tenant::Tenant;

use super::freeswitch::Keys;
use super::fusionpbx::Booleans::{self, Native, Text};
use super::fusionpbx::{ExtensionRow, OPERATOR};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

/// An Asterisk of the same host; nothing of it is asked.
pub async fn asterisk(world: &World) -> InstanceId {
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
            recordings_dir: None,
            emergency_numbers: Vec::new(),
        }),
        secrets: InstanceSecrets::of_control("secret".to_owned().into()),
    };
    instances::create(&world.app, &operator(), new).await.unwrap().id
}

pub const ALL_OR_NONE: Manner = Manner {
    dry_run: false,
    skip_wrong: false,
};
pub const WHAT_IS_GOOD: Manner = Manner {
    dry_run: false,
    skip_wrong: true,
};

pub async fn try_import(
    world: &World,
    onto: InstanceId,
    domains: &[&str],
    manner: Manner,
) -> Result<PbxImportReport, AppError> {
    let domains: Vec<_> = domains.iter().map(|domain| domain.parse().unwrap()).collect();
    pbx_import::from_fusionpbx(&world.app, &operator(), world.instance_id, &domains, onto, manner).await
}

pub async fn import(world: &World, onto: InstanceId, domains: &[&str], manner: Manner) -> PbxImportReport {
    try_import(world, onto, domains, manner).await.unwrap()
}

/// A tenant that was brought in, and what is known of an extension of it.
async fn revealed(world: &World, domain: &str, number: &str) -> (Tenant, RevealedSecrets) {
    let found = tenants::list(&world.app, &operator(), &TenantQuery::default()).await;
    let mut found = found.unwrap().items.into_iter();
    let tenant = found
        .find(|found| found.tenant.domain.as_str() == domain)
        .unwrap()
        .tenant;
    let caller = switchyard::app::operator::in_tenant(&tenant, None);
    let extension = extensions::find_by_number(&world.app, &caller, &number.parse().unwrap()).await;
    let id = extension.unwrap().id;
    let shown = extensions::reveal_secret(&world.app, &caller, id, &IfMatch::Any).await;
    (tenant, shown.unwrap())
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
    let report = import(&world, onto, &["theirs.example.com"], ALL_OR_NONE).await;
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

    let (tenant, shown) = revealed(&world, "theirs.example.com", "1001").await;
    assert_eq!(tenant.instance_id, onto);
    assert_eq!(shown.sip.unwrap().expose(), "ThrowAwaySecret1");

    let again = import(&world, onto, &["theirs.example.com"], WHAT_IS_GOOD).await;
    assert_eq!((again.imported, again.good, again.bad), (false, 0, 1));
    assert!(
        again.tenants[0]
            .errors
            .to_string()
            .contains("a tenant that is here")
    );
    assert_eq!(again.tenants[0].notes, ["its 3 extensions are not looked at"]);

    let said = "select cast(after as text) from audit_entries where action = 'extension.import'";
    let said = world.database.ask(said.to_owned()).await;
    let [said] = said.as_slice() else {
        panic!("{said:?}")
    };
    let entry: Value = serde_json::from_str(said).unwrap();
    assert_eq!(
        entry,
        json!({"source": {"kind": "fusionpbx", "pbx_instance_id": world.instance_id, "name": "main"},
            "numbers": ["1001", "1002", "1003"], "new_secrets": ["1003"]})
    );
}

/// Its number, whether it is good, and what is said of it.
fn told(extension: &ExtensionReport) -> (&str, bool, Vec<&str>) {
    let number = extension.number.as_deref().unwrap_or_default();
    let notes = extension.notes.iter().map(String::as_str).collect();
    (number, extension.errors.is_empty(), notes)
}

const DIGEST: &str = "only the digest of its password is kept: its phones keep their password, and whoever wants to know the secret rotates it";

#[tokio::test]
async fn c18_every_row_of_an_operators_database_is_told_and_whoever_is_switched_off_stays_so() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    let report = import(&world, onto, &[], WHAT_IS_GOOD).await;
    assert_eq!(world.fusionpbx.snapshot().await, world.others, "it is only read");
    assert_eq!((report.imported, report.good, report.bad), (true, 5, 2));

    let [off, nameless, first] = report.tenants.as_slice() else {
        panic!("{} tenants", report.tenants.len())
    };
    assert_eq!(
        (first.domain.as_str(), first.name.as_str()),
        (OPERATOR, "The first one")
    );
    assert_eq!(
        first.extensions.iter().map(told).collect::<Vec<_>>(),
        [
            (
                "1002",
                true,
                vec![
                    "it is no longer reached by its alias (number_alias: \"5550102\")",
                    "its call group is not kept (call_group: \"support\")",
                    DIGEST
                ]
            ),
            (
                "1003",
                true,
                vec!["its call group is not kept (call_group: \"support\")", DIGEST]
            ),
            ("1999", true, vec![DIGEST]),
            ("1999", false, vec![DIGEST]),
            (
                "1001",
                true,
                vec![
                    "its call group is not kept (call_group: \"sales,support\")",
                    "settings of its own are not kept: variable office",
                    DIGEST
                ]
            ),
        ]
    );
    assert!(first.extensions[3].errors.to_string().contains("number is taken"));
    let fields: Vec<&str> = nameless.errors.iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["domain", "name"]);
    assert!(off.errors.is_empty() && off.notes.iter().any(|note| note.contains("it comes suspended")));
    assert!(!first.notes.iter().any(|note| note.contains("suspended")));
    let aside: Vec<_> = report
        .aside
        .iter()
        .map(|aside| (aside.name.as_str(), aside.reason.as_str()))
        .collect();
    assert_eq!(
        aside,
        [
            ("", "it is in no domain that is there"),
            ("3001", "it is in no domain that is there"),
            ("", "it is a mailbox in no domain that is there"),
        ]
    );

    let standing = "select domain || ' ' || status || ' ' || suspension_policy from tenants order by domain";
    assert_eq!(
        world.database.ask(standing.to_owned()).await,
        [
            "old.operator.example suspended block_all",
            "pbx.operator.example active block_outbound"
        ]
    );
    let entries = "select action from audit_entries where action like 'tenant.%' order by number";
    assert_eq!(
        world.database.ask(entries.to_owned()).await,
        ["tenant.create", "tenant.suspend", "tenant.create"]
    );
    let disabled = "select number from extensions where status = 'disabled'";
    assert_eq!(world.database.ask(disabled.to_owned()).await, ["1003"]);
    // Its mailbox is switched off there: the PIN is there for when it is switched on here.
    assert_eq!(revealed(&world, OPERATOR, "1002").await.1.pin.expose(), "314159");

    let missing = try_import(&world, onto, &["nobody.example.com"], ALL_OR_NONE).await;
    let said = missing.err().unwrap().to_string();
    assert!(said.contains("nobody.example.com"), "{said}");
}

#[tokio::test]
async fn c18_of_a_domain_that_is_named_nothing_else_is_told() {
    let world = World::new(Text).await;
    let onto = asterisk(&world).await;
    let report = import(&world, onto, &["PBX.operator.example"], WHAT_IS_GOOD).await;
    assert_eq!((report.tenants.len(), report.aside.len()), (1, 0));
    let notes = &report.tenants[0].extensions[4].notes;
    assert!(
        notes.iter().any(|note| note.contains("variable office")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn c18_ten_thousand_extensions_with_their_mailboxes_and_digests_are_brought_in() {
    let world = World::new(Native).await;
    let onto = asterisk(&world).await;
    let domain = world.fusionpbx.add_domain("large.example.com").await;
    let rows = format!(
        "insert into v_extensions (extension_uuid, domain_uuid, extension, password, enabled) \
         select gen_random_uuid(), '{domain}', n::text, 'ThrowAwaySecret' || n, true from generate_series(10000, 19999) n; \
         insert into v_extension_settings (extension_setting_uuid, domain_uuid, extension_uuid, extension_setting_type, \
         extension_setting_name, extension_setting_value, extension_setting_enabled) select gen_random_uuid(), domain_uuid, \
         extension_uuid, 'param', 'a1-hash', md5(extension), true from v_extensions where extension like '1%5'; \
         insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id, voicemail_password, voicemail_enabled) \
         select gen_random_uuid(), domain_uuid, extension, extension, true from v_extensions where domain_uuid = '{domain}'"
    );
    world.fusionpbx.run(&rows).await;
    let report = import(&world, onto, &["large.example.com"], ALL_OR_NONE).await;
    assert_eq!((report.imported, report.good, report.bad), (true, 10_000, 0));
    let counts = "select count(*) || ' ' || sum(case when secret_known then 0 else 1 end) from extensions";
    assert_eq!(world.database.ask(counts.to_owned()).await, ["10000 1000"]);
}
