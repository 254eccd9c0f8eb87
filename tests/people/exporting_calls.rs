//! Of an export, more than a page of each kind, and calls with all that was told of them but other tenants' phones.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::call_part::CallPart;
use switchyard::domain::ids::{CallRecordId, SystemIds};
use switchyard::store::call_records::{self, OfCall};

use super::exporting::{MARKS, counts};
use super::purging::ago;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

#[rstest]
#[tokio::test]
async fn c02_a_call_is_exported_with_its_parts_in_their_order_and_without_other_tenants_phones(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, _) = world.filled(&world.acme, MARKS[0]).await;
    let phone = |number: &str, domain: &str| json!({"number": number, "domain": domain});
    let (own, other) = (world.acme.domain.as_str(), world.globex.domain.as_str());
    let parts = [
        ("1", phone("1001", own), Value::Null, "1777"),
        ("2", phone("1001", own), Value::Null, "+4930999999"),
        ("3", Value::Null, phone("2002", other), "2002"),
    ];
    for (key, caller, called, to) in &parts {
        let told: CallPart = serde_json::from_value(json!({
            "key": key, "channel": "179000042.1", "is_of_called": false, "left": false, "caller": caller, "called": called,
            "from_number": "1001", "from_name": null, "to": to, "started": ago(1), "answered": null, "ended": ago(1),
            "disposition": "no_answer", "cause": null,
        }))
        .unwrap();
        let mut tx = world.store.begin("call").await.unwrap();
        let of = OfCall {
            id: CallRecordId::fresh(&SystemIds),
            tenant: world.acme.id,
            instance: world.acme.instance_id,
            call: &told.channel,
            is_rough: false,
        };
        call_records::keep(&mut tx, of, &told, |domain| domain == own)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let archive = world
        .exported(&mut maker, &owner, json!({"tenant": true}))
        .await
        .unwrap();
    archive.check();
    let calls = archive.rows("call_records");
    let call = calls
        .iter()
        .find(|call| call["parts"].as_array().unwrap().len() > 1);
    let told: Vec<_> = call.unwrap()["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (part["caller"].clone(), part["called"].clone(), part["to"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("1001"), Value::Null, json!("1777")),
            (json!("1001"), Value::Null, json!("+4930999999")),
            (Value::Null, Value::Null, json!("2002")),
        ]
    );
    assert!(!archive.holds(other));
}

/// More rows like the first one of acme, with these columns anew; `n` counts them.
async fn more(world: &World, table: &str, count: u32, columns: &str, anew: &[(&str, &str)]) {
    let values: Vec<&str> = columns
        .split(' ')
        .map(|column| {
            let found = anew.iter().find(|(name, _)| *name == column);
            found.map_or(column, |(_, value)| value)
        })
        .collect();
    let sql = format!(
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < {count}) insert into {table} ({}) \
         select {} from n cross join (select * from {table} where tenant_id = (select id from tenants \
         where domain = 'acme.example.com') limit 1) o returning 'x'",
        columns.replace(' ', ", "),
        values.join(", ")
    );
    assert_eq!(world.texts(&sql).await.len(), count as usize);
}

#[rstest]
#[tokio::test]
async fn a46_every_row_is_exported_once_where_a_kind_has_more_than_a_page(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, _) = world.filled(&world.acme, MARKS[0]).await;
    let id = match backend {
        Sqlite => "randomblob(16)",
        Postgres => "gen_random_uuid()",
    };
    let columns = "id tenant_id email name name_key role_id status platform_manager contact extension_id password_hash \
        issuer subject last_login_at version created_at updated_at";
    let anew = [
        ("id", id),
        ("email", "'more' || n || '@example.com'"),
        ("extension_id", "null"),
        ("platform_manager", "false"),
    ];
    more(&world, "users", 60, columns, &anew).await;
    let columns = "id tenant_id number name_key status settings created_at updated_at version secret_known";
    let anew = [("id", id), ("number", "cast(20000 + n as text)")];
    more(&world, "extensions", 520, columns, &anew).await;
    let columns = "id tenant_id instance_id path channel bytes written_at";
    let anew = [("id", id), ("path", "path || n"), ("channel", "null")];
    more(&world, "recordings", 120, columns, &anew).await;
    let columns = "id tenant_id subject state opened_by_kind opened_by_id opened_by_name archived comments version created_at \
        updated_at text";
    more(&world, "tickets", 120, columns, &[("id", id), ("comments", "0")]).await;
    // All of one moment.
    let columns =
        "id instance_id scope tenant_id revision_id status requested_by changes findings created_at ended_at";
    more(&world, "deployments", 60, columns, &[("id", id)]).await;
    let columns = "id number at actor_kind actor_id operating_as action resource target_id tenant_id payload_digest digest \
        salt actor_name before after";
    let anew = [("id", id), ("number", "1000000 + n")];
    more(&world, "audit_entries", 220, columns, &anew).await;
    let archive = world
        .exported(&mut maker, &owner, json!({"tenant": true}))
        .await
        .unwrap();
    archive.check();
    for (kind, sql) in counts("acme.example.com") {
        let there: usize = world.texts(&sql).await[0].parse().unwrap();
        let rows = archive.rows(kind);
        assert_eq!(rows.len(), there, "{kind}");
        let mut ids: Vec<String> = rows.iter().map(|row| row["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        let without_ids = ["settings", "retention", "domain_aliases"].contains(&kind);
        assert!(without_ids || ids.len() == there, "{kind}: each once");
    }
}
