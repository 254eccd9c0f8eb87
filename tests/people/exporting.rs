//! An export of a whole tenant: every table is in it or is left out with a reason, every row is, and nothing of another tenant
//! nor any secret.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use switchyard::app::exports::kinds;
use switchyard::app::{extensions, webhooks};
use switchyard::auth::caller::Caller;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::export::ExportKind;
use switchyard::domain::ids::{RevisionId, SystemIds};
use switchyard::domain::tenant::Tenant;
use switchyard::store::{domains, revisions, users};

use super::exported::sha256;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World};

/// What stands in every text of a tenant that has none of the other's.
pub const MARKS: [&str; 2] = ["Quitte", "Zwetschge"];

/// Of each mailbox.
const PIN: &str = "9081726354";
/// Of each webhook.
const PATH: &str = "T0KEN-of-a-hook";

impl World {
    /// One of everything in a tenant, with this mark in all that people write; gives what is secret of it.
    pub async fn filled(&self, tenant: &Tenant, mark: &str) -> (Caller, Vec<String>) {
        let lower = mark.to_lowercase();
        let owner = self.person(&format!("{lower}-owner"), tenant, "owner").await;
        let caller = self.caller(&owner.token).await;
        let mut secrets = vec![
            owner.token.clone(),
            "a".repeat(64),
            PIN.to_owned(),
            PASSWORD.to_owned(),
            PATH.to_owned(),
        ];
        let input = serde_json::from_value(
            json!({"number": "1001", "name": format!("Ann {mark}"), "voicemail": {"pin": PIN}}),
        )
        .unwrap();
        let (_, shown) = extensions::create(&self.app, &caller, input).await.unwrap();
        secrets.push(shown.sip.expose().to_owned());
        let (_, secret) = self.key(&caller, &["config.read"]).await;
        secrets.push(secret.expose().to_owned());
        let hook = json!({"url": format!("https://{lower}.example.com:8443/{PATH}?key={PATH}"), "events": ["tenant.reactivated"]});
        let hook = webhooks::create(&self.app, &caller, serde_json::from_value(hook).unwrap()).await;
        secrets.push(hook.unwrap().1.expose().to_owned());
        let (_, token) = self.invited(&caller, &format!("{lower}-invited"), "agent").await;
        secrets.push(token.expose_secret().to_owned());
        let role = json!({"name": format!("{lower} keeper"), "permissions": ["config.read"]});
        let role = serde_json::from_value(role).unwrap();
        switchyard::app::roles::create(&self.app, &caller, role, None)
            .await
            .unwrap();
        let ticket = self.ticket(&caller, &format!("No tone, {mark}")).await;
        self.say(&caller, ticket.id, &format!("Still none, {mark}"))
            .await
            .unwrap();
        for (channel, days) in [("1.1", 3), ("2.1", 2)] {
            self.call(tenant, &format!("17900000{channel}"), mark, days).await;
        }
        self.recording(tenant, "179000001.1.wav", 3).await;
        self.message(tenant, "1001", "1777", 3).await;
        self.keep(tenant, json!({"call_records": 365})).await;
        self.purge(tenant).await;
        let mut tx = self.store.begin("fill").await.unwrap();
        let former = format!("{lower}.example.net").parse().unwrap();
        domains::put_alias(&mut tx, tenant.id, &former).await.unwrap();
        let hash = users::password_hash(&mut tx, owner.user.id)
            .await
            .unwrap()
            .unwrap();
        secrets.push(hash.expose().to_owned());
        revisions::take_head(
            &mut tx,
            tenant.id,
            RevisionId::fresh(&SystemIds),
            SystemClock.now(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        self.refused(tenant, mark, 1).await;
        for (table, column) in [
            ("api_keys", "digest"),
            ("one_time_tokens", "digest"),
            ("extension_secrets", "sip"),
            ("extension_secrets", "pin"),
        ] {
            let text = match self.bench.backend {
                Sqlite => format!("hex({column})"),
                Postgres => format!("encode({column}, 'hex')"),
            };
            let kept = self.texts(&format!("select {text} from {table}")).await;
            assert!(!kept.is_empty(), "{table}");
            secrets.extend(kept);
        }
        (caller, secrets)
    }
}

/// The tables that have a tenant in their rows.
async fn of_tenants(world: &World) -> BTreeSet<String> {
    let sql = match world.bench.backend {
        Sqlite => {
            "select m.name from sqlite_master m join pragma_table_info(m.name) c \
             where m.type = 'table' and c.name = 'tenant_id'"
        }
        Postgres => {
            "select table_name::text from information_schema.columns \
             where column_name = 'tenant_id' and table_schema = current_schema()"
        }
    };
    world.texts(sql).await.into_iter().collect()
}

#[rstest]
#[tokio::test]
async fn a46_every_table_that_is_a_tenants_is_exported_or_left_out_with_a_reason(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut there = world.emptied().await;
    there.extend(of_tenants(&world).await);
    // These are of PBXs and of the tenant itself.
    there.extend(["call_gaps", "tenants"].map(str::to_owned));
    let mut named = BTreeSet::new();
    for table in ExportKind::ALL.iter().flat_map(|kind| kinds::tables(*kind)) {
        named.insert((*table).to_owned());
    }
    for left in kinds::OF_TENANT {
        assert!(!left.what.is_empty() && !left.why.is_empty(), "{left:?}");
        for table in left.tables {
            assert!(named.insert((*table).to_owned()), "{table} is exported");
        }
    }
    assert_eq!(there, named);
}

/// The columns of what is exported: each is shown or left out with a reason, so think of the export where this list changes.
#[rstest]
#[tokio::test]
async fn a46_the_columns_of_what_is_exported_are_those_that_were_looked_through(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let sql = match backend {
        Sqlite => {
            "select m.name || '.' || c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'"
        }
        Postgres => {
            "select table_name || '.' || column_name from information_schema.columns where table_schema = current_schema()"
        }
    };
    let exported: BTreeSet<&str> = ExportKind::ALL
        .iter()
        .flat_map(|kind| kinds::tables(*kind))
        .copied()
        .collect();
    let columns: BTreeSet<String> = world.texts(sql).await.into_iter().collect();
    let mut of_tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (table, column) in columns.iter().filter_map(|column| column.split_once('.')) {
        if exported.contains(table) {
            of_tables.entry(table).or_default().push(column);
        }
    }
    let lines = of_tables
        .iter()
        .map(|(table, columns)| format!("{table}: {}\n", columns.join(" ")));
    insta::assert_snapshot!("columns_of_exports", lines.collect::<String>());
}

/// How many rows of each kind a tenant has.
pub fn counts(domain: &str) -> Vec<(&'static str, String)> {
    let of = |table: &str| {
        format!(
            "select count(*) || '' from {table} where tenant_id = (select id from tenants where domain = '{domain}')"
        )
    };
    let mut counts: Vec<(&str, String)> = [
        ("api_keys", "api_keys"),
        ("call_records", "call_records"),
        ("deployments", "deployments"),
        ("domain_aliases", "tenant_domain_aliases"),
        ("extensions", "extensions"),
        ("purges", "purges"),
        ("recordings", "recordings"),
        ("revisions", "revisions"),
        ("tickets", "tickets"),
        ("users", "users"),
        ("voicemail", "voicemail_messages"),
        ("webhooks", "webhooks"),
    ]
    .map(|(kind, table)| (kind, of(table)))
    .into();
    counts.push((
        "audit_entries",
        of("audit_entries") + " and action <> 'data.export_end'",
    ));
    counts.push(("roles", of("roles") + " or tenant_id is null"));
    let sessions = "sessions s join users u on u.id = s.user_id";
    counts.push(("sessions", of(sessions)));
    counts.push(("settings", "select '1'".to_owned()));
    counts.push(("retention", "select '1'".to_owned()));
    counts
}

#[rstest]
#[tokio::test]
async fn a46_an_export_of_a_tenant_holds_every_row_of_it_and_nothing_of_another_nor_a_secret(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (acme, mut secrets) = world.filled(&world.acme, MARKS[0]).await;
    let (globex, more) = world.filled(&world.globex, MARKS[1]).await;
    secrets.extend(more);
    let [own, other] = [
        (&world.acme, acme, MARKS),
        (&world.globex, globex, [MARKS[1], MARKS[0]]),
    ];
    for ((tenant, caller, [mark, foreign]), stranger) in [(own, &world.globex), (other, &world.acme)] {
        let archive = world
            .exported(&mut maker, &caller, json!({"tenant": true}))
            .await
            .unwrap();
        assert!(archive.is_whole);
        archive.check();
        let manifest = archive.manifest();
        for (kind, sql) in counts(tenant.domain.as_str()) {
            let there: u64 = world.texts(&sql).await[0].parse().unwrap();
            assert!(there > 0, "{kind}");
            assert_eq!(manifest["kinds"][kind]["rows"], json!(there), "{kind}");
            assert_eq!(archive.rows(kind).len() as u64, there, "{kind}");
        }
        let kinds: BTreeSet<&str> = ExportKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let told: BTreeSet<&str> = manifest["kinds"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        // What a person said is in the tickets.
        let of_persons = BTreeSet::from(["ticket_comments"]);
        assert_eq!(told, kinds.difference(&of_persons).copied().collect());
        assert_eq!(
            archive.rows("tickets")[0]["comments"].as_array().unwrap().len(),
            1
        );
        let texts = [
            "extensions",
            "users",
            "webhooks",
            "roles",
            "tickets",
            "call_records",
            "audit_entries",
            "deployments",
            "revisions",
            "domain_aliases",
        ];
        for kind in texts {
            let rows = json!(archive.rows(kind)).to_string().to_lowercase();
            assert!(rows.contains(&mark.to_lowercase()), "{kind}: {rows}");
        }
        for alien in [
            foreign,
            stranger.name.as_str(),
            &stranger.id.to_string(),
            stranger.domain.as_str(),
        ] {
            assert!(
                !archive.holds(alien),
                "{alien} is in the export of {}",
                tenant.name
            );
        }
        for secret in &secrets {
            assert!(!archive.holds(secret), "{secret} is in the export");
        }
        for call in archive.rows("call_records") {
            let parts = call["parts"].as_array().unwrap();
            assert_eq!(parts.len(), 1);
            assert_eq!(
                (&parts[0]["caller"], &parts[0]["to"]),
                (&json!("1001"), &json!("1777"))
            );
        }
        // What is behind is not in memory while what may be much is read.
        let files = manifest["files"].as_array().unwrap().iter();
        let names: Vec<&str> = files.map(|file| file["name"].as_str().unwrap()).collect();
        let place = |kind: &str| names.iter().position(|name| name.starts_with(kind)).unwrap();
        let order = [
            "webhooks",
            "extensions",
            "users",
            "tickets",
            "deployments",
            "revisions",
            "purges",
            "audit_entries",
            "call_records",
            "recordings",
        ];
        let places = order.map(|kind| place(&format!("{kind}/0")));
        assert!(places.is_sorted(), "{names:?}");
        let origin = format!("https://{}.example.com:8443", mark.to_lowercase());
        assert_eq!(archive.rows("webhooks")[0]["origin"], json!(origin));
        assert_eq!(manifest["tenant"]["id"], json!(tenant.id));
        assert_eq!(manifest["subject"], json!({"kind": "tenant"}));
        let left: Vec<_> = kinds::OF_TENANT.iter().map(|left| left.what).collect();
        let told = manifest["left_out"].as_array().unwrap().iter();
        assert_eq!(
            told.map(|left| left["what"].as_str().unwrap())
                .collect::<Vec<_>>(),
            left
        );
        // The chain's digests go with the entries, their numbers stay with the platform.
        let entry = &archive.rows("audit_entries")[0];
        assert_eq!(entry["action"], "data.export");
        assert!(
            entry["digest"].is_string() && entry["payload_digest"].is_string() && entry["number"].is_null()
        );
    }
}

#[rstest]
#[tokio::test]
async fn a46_the_audit_log_tells_who_asked_for_an_export_and_what_came_of_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let archive = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    let told = "select action || ' ' || actor_name || ' ' || target_id || ' ' || after from audit_entries \
        where resource = 'export' order by number";
    let told = world.texts(told).await;
    let manifest = archive.manifest();
    let id = manifest["export_id"].as_str().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    let begun = format!("data.export quitte-owner@example.com {id} {{\"subject\":{{\"kind\":\"tenant\"}}}}");
    assert_eq!(told[0], begun);
    let start = format!("data.export_end quitte-owner@example.com {id} ");
    let after: Value = serde_json::from_str(told[1].strip_prefix(&start).unwrap()).unwrap();
    let rows: u64 = manifest["kinds"]
        .as_object()
        .unwrap()
        .values()
        .map(|kind| kind["rows"].as_u64().unwrap())
        .sum();
    assert_eq!(
        after,
        json!({"outcome": "complete", "rows": rows, "gone_meanwhile": 0, "recordings": 1, "missing": {},
            "voicemail": 0, "voicemail_missing": {"pbx_does_not_answer": 1}, "bytes": archive.bytes.len(), "manifest_sha256": sha256(&archive.files["manifest.json"])})
    );
    assert_eq!(manifest["requested_by"], "quitte-owner@example.com");
}
