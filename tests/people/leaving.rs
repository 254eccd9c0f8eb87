//! What goes with a tenant is said before: every table that its deletion empties, held against the schema.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::Value;
use switchyard::app::{invitations, operator, tenant_deletion};
use switchyard::store::tenant_lifecycle;

use super::mailed::with_mail;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, invitation};

/// Where the preview counts the rows of a table: under its own name, or with what they are a part of.
const COUNTED: [(&str, &str); 35] = [
    ("api_key_permissions", "api_keys"),
    ("api_keys", "api_keys"),
    ("call_record_extensions", "call_records"),
    ("call_record_parts", "call_records"),
    ("call_records", "call_records"),
    ("deployment_stages", "deployments"),
    ("deployments", "deployments"),
    ("domain_tenures", "revisions"),
    ("erasure_parts", "erasures"),
    ("erasure_targets", "erasures"),
    ("erasures", "erasures"),
    ("extension_secrets", "extensions"),
    ("extensions", "extensions"),
    ("generation_tenants", "generations"),
    ("idempotency_keys", "kept_answers"),
    ("one_time_tokens", "links"),
    ("outbox", "mails"),
    ("purge_files", "purges"),
    ("purge_messages", "purges"),
    ("purge_parts", "purges"),
    ("purges", "purges"),
    ("recordings", "recordings"),
    ("retention", "retention"),
    ("revision_domains", "revisions"),
    ("revisions", "revisions"),
    ("role_permissions", "roles"),
    ("roles", "roles"),
    ("sessions", "sessions"),
    ("tenant_domain_aliases", "aliases"),
    ("ticket_comments", "tickets"),
    ("tickets", "tickets"),
    ("users", "users"),
    ("voicemail_messages", "voicemail"),
    ("webhook_events", "webhooks"),
    ("webhooks", "webhooks"),
];

impl World {
    /// The tables whose rows go with a tenant's, directly or with something that does.
    pub async fn emptied(&self) -> BTreeSet<String> {
        let sql = match self.bench.backend {
            Sqlite => {
                "select m.name || ' ' || f.\"table\" from sqlite_master m join pragma_foreign_key_list(m.name) f \
                 where m.type = 'table' and f.on_delete = 'CASCADE'"
            }
            Postgres => {
                "select conrelid::regclass::text || ' ' || confrelid::regclass::text from pg_constraint \
                 where contype = 'f' and confdeltype = 'c'"
            }
        };
        let follows = self.texts(sql).await;
        let mut emptied = BTreeSet::from(["tenants"]);
        loop {
            let before = emptied.len();
            for (table, whose) in follows.iter().filter_map(|pair| pair.split_once(' ')) {
                if emptied.contains(whose) {
                    emptied.insert(table);
                }
            }
            if emptied.len() == before {
                break;
            }
        }
        emptied.remove("tenants");
        emptied.into_iter().map(str::to_owned).collect()
    }

    async fn preview(&self) -> Value {
        let preview = tenant_deletion::preview(&self.app, &operator::platform(None), self.acme.id).await;
        serde_json::to_value(preview.unwrap()).unwrap()
    }

    /// How many rows there are in every table that counts for itself.
    async fn rows(&self) -> BTreeMap<&'static str, i64> {
        let mut rows = BTreeMap::new();
        let whole = COUNTED.iter().filter(|(table, _)| {
            ![
                "_permissions",
                "_secrets",
                "_stages",
                "_domains",
                "_tenures",
                "_events",
                "_parts",
                "_targets",
                "_comments",
                "_extensions",
            ]
            .iter()
            .any(|end| table.ends_with(end))
        });
        for (table, field) in whole {
            let counted = self.texts(&format!("select count(*) || '' from {table}")).await;
            rows.insert(*field, counted[0].parse().unwrap());
        }
        rows
    }
}

#[rstest]
#[tokio::test]
async fn o34_the_preview_names_every_table_that_the_deletion_of_a_tenant_empties(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let named: BTreeSet<String> = COUNTED.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(world.emptied().await, named);
    let preview = world.preview().await;
    for (table, field) in COUNTED {
        assert!(preview[field].is_i64(), "{table}: {preview}");
    }
}

#[rstest]
#[tokio::test]
async fn o34_the_preview_counts_what_is_the_tenants_and_nothing_else(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    world.key(&caller, &["config.read"]).await;
    world.extension(&caller, "1001").await.unwrap();
    let ticket = world.ticket(&caller, "x").await;
    world.comment(&caller, ticket.id).await.unwrap();
    world.forgot("ann@example.com").await.unwrap();
    invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    let preview = world.preview().await;
    let built_in = 4;
    for (field, rows) in world.rows().await {
        let rows = if field == "roles" { rows - built_in } else { rows };
        assert_eq!(preview[field], rows, "{field}");
    }
    assert_eq!(
        [
            "users",
            "sessions",
            "links",
            "mails",
            "api_keys",
            "extensions",
            "tickets"
        ]
        .map(|field| &preview[field]),
        [
            &2.into(),
            &1.into(),
            &2.into(),
            &2.into(),
            &1.into(),
            &1.into(),
            &1.into()
        ] as [&Value; 7]
    );
    // Another tenant's, and the platform's own, are none of it.
    let eve = world.person("eve", &world.globex, "owner").await;
    let eve = world.caller(&eve.token).await;
    world.key(&eve, &["config.read"]).await;
    world.extension(&eve, "1001").await.unwrap();
    world.ticket(&eve, "y").await;
    world.forgot("eve@example.com").await.unwrap();
    world.manager("boss").await;
    assert_eq!(world.preview().await, preview);
    // And all of it goes, where nothing serves the tenant.
    let mut tx = world.store.begin("delete").await.unwrap();
    assert!(tenant_lifecycle::delete(&mut tx, world.acme.id).await.unwrap());
    let left = tenant_lifecycle::belongings(&mut tx, world.acme.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let left = serde_json::to_value(left).unwrap();
    assert!(
        left.as_object().unwrap().values().all(|count| *count == 0),
        "{left}"
    );
}
