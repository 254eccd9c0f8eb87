//! `GET /audit-log` and `GET /platform/audit-log`: pages, filters, and whose entries are shown to whom.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::store::audit;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// The named member of each entry.
fn each(entries: &Value, member: &str) -> Vec<String> {
    let entries = entries.as_array().unwrap().iter();
    entries
        .map(|entry| match &entry[member] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

/// All pages of a list, one behind the other.
async fn all(server: &Server, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = server.get(&next).send().await;
        found.extend(page.data(200).as_array().unwrap().clone());
        let Some(cursor) = page.body["meta"]["next_cursor"].as_str() else {
            assert_eq!(page.body["meta"], json!({"next_cursor": null}));
            return found;
        };
        next = format!("{path}&cursor={cursor}");
    }
}

#[rstest]
#[tokio::test]
async fn o61_pages_are_read_one_behind_the_other_the_newest_entry_first(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut made = Vec::new();
    for number in 1001..=1007 {
        made.push(server.extension(&number.to_string()).await);
    }
    made.reverse();
    let paged = all(&server, "/audit-log?action=extension.create&per_page=3").await;
    assert_eq!(each(&json!(paged), "target_id"), made);
    // One that comes while somebody reads on is not on the later pages.
    let first = server.get("/audit-log?per_page=3").send().await;
    let cursor = first.body["meta"]["next_cursor"].as_str().unwrap().to_owned();
    server.extension("1008").await;
    let second = server
        .get(&format!("/audit-log?per_page=3&cursor={cursor}"))
        .send()
        .await;
    assert_eq!(each(second.data(200), "target_id"), made[3..6]);
    // The usual page holds as many as any other list's.
    for number in 2001..2030 {
        server.extension(&number.to_string()).await;
    }
    assert_eq!(
        server
            .get("/audit-log")
            .send()
            .await
            .data(200)
            .as_array()
            .unwrap()
            .len(),
        25
    );
}

#[rstest]
#[tokio::test]
async fn c02_a_tenant_reads_its_own_entries_and_the_platform_those_of_all(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    server.extension_in(&server.globex, "2001").await;
    server.extension("1002").await;
    let own = |tenant: &str| server.get("/audit-log").in_tenant(tenant).send();
    let (acme, globex) = (own(&server.acme).await, own(&server.globex).await);
    assert_eq!(
        each(acme.data(200), "action"),
        ["extension.create", "extension.create", "tenant.create"]
    );
    assert_eq!(
        each(globex.data(200), "action"),
        ["extension.create", "tenant.create"]
    );
    assert!(!globex.text.contains(&server.acme) && !acme.text.contains(&server.globex));
    // Its place in the whole log would tell how much happens in other tenants.
    assert!(
        !acme.text.contains("\"number\":1,") && !acme.text.contains("digest"),
        "{}",
        acme.text
    );
    // Whatever a cursor or a filter names.
    let newest = &acme.data(200)[0];
    let at: jiff::Timestamp = newest["at"].as_str().unwrap().parse().unwrap();
    let cursor = format!("{}-{}", at.as_microsecond(), newest["id"].as_str().unwrap());
    let behind = server
        .get(&format!("/audit-log?cursor={cursor}"))
        .in_tenant(&server.globex);
    assert_eq!(behind.send().await.data(200), globex.data(200));
    let named = server
        .get(&format!("/audit-log?tenant={}", server.globex))
        .send()
        .await;
    assert_eq!(named.fields(), ["tenant"]);

    let platform = server.get("/platform/audit-log").send().await;
    let entries = platform.data(200);
    assert_eq!(each(entries, "number"), ["8", "7", "6", "5", "4", "3", "2", "1"]);
    assert_eq!(entries[7]["action"], "instance.create");
    assert_eq!(
        each(entries, "digest")
            .iter()
            .filter(|digest| digest.len() == 64)
            .count(),
        8
    );
    let one = server
        .get(&format!("/platform/audit-log?tenant={}", server.globex))
        .send()
        .await;
    assert_eq!(each(one.data(200), "id"), each(globex.data(200), "id"));
    let nobody = server
        .get("/platform/audit-log?tenant=0198c0de-0000-7000-8000-000000000001")
        .send()
        .await;
    assert_eq!(nobody.data(200), &json!([]));
    // The platform's route asks for no tenant.
    let outside = server
        .get("/platform/audit-log")
        .without("x-operate-as-tenant")
        .send()
        .await;
    assert_eq!(outside.data(200), entries);
}

#[rstest]
#[tokio::test]
async fn o61_each_filter_restricts_on_both_routes(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    server
        .ask(reqwest::Method::POST, "/config/deploy")
        .send()
        .await
        .data(202);
    server.delete(&format!("/extensions/{id}")).send().await;
    let everything = server.get("/audit-log").send().await;
    let at = each(everything.data(200), "at");
    let cases = [
        (
            "actor=manager@example.com",
            &["extension.delete", "config.deploy", "extension.create"][..],
        ),
        ("actor=system:cli", &["tenant.create"]),
        ("actor=Manager@example.com", &[]),
        ("action=config.deploy", &["config.deploy"]),
        ("resource=extension", &["extension.delete", "extension.create"]),
        ("resource=extension&action=config.deploy", &[]),
        (&format!("from={}", at[1]), &["extension.delete", "config.deploy"]),
        (&format!("to={}", at[1]), &["extension.create", "tenant.create"]),
        (&format!("from={}&to={}", at[2], at[1]), &["extension.create"]),
    ];
    for (filter, expected) in cases {
        for route in ["/audit-log", "/platform/audit-log"] {
            let tenant = if route == "/audit-log" {
                String::new()
            } else {
                format!("&tenant={}", server.acme)
            };
            let found = server.get(&format!("{route}?{filter}{tenant}")).send().await;
            assert_eq!(each(found.data(200), "action"), expected, "{route}?{filter}");
        }
    }
}

#[rstest]
#[case("cursor=", &["cursor"])]
#[case("cursor=x", &["cursor"])]
#[case("cursor=1-2", &["cursor"])]
#[case("cursor=99999999999999999999-0198c0de-0000-7000-8000-000000000001", &["cursor"])]
#[case("from=yesterday", &["from"])]
#[case("to=2026-11-20", &["to"])]
#[case("from=2026-11-20T10:00:00Z&to=2026-11-20T10:00:00Z", &["to"])]
#[case("from=2026-02-30T10:00:00Z&to=x", &["from", "to"])]
#[case("action=Extension", &["action"])]
#[case("action=", &["action"])]
#[case("resource=a%27--", &["resource"])]
#[case("actor=", &["actor"])]
#[case("actor=%00", &["actor"])]
#[case("per_page=0", &["per_page"])]
#[case("per_page=101", &["per_page"])]
#[case("page=2", &["page"])]
#[case("sort=at", &["sort"])]
#[case("action=a&action=b", &["action"])]
#[case("cursor=x&from=x&action=X&per_page=x&other=x", &["action", "cursor", "from", "other", "per_page"])]
#[tokio::test]
async fn o61_a_bad_filter_or_cursor_is_named(#[case] query: &str, #[case] fields: &[&str]) {
    let server = Server::start(Sqlite).await;
    for route in ["/audit-log", "/platform/audit-log"] {
        let refused = server.get(&format!("{route}?{query}")).send().await;
        assert_eq!(refused.fields(), fields, "{route}?{query}");
    }
    let refused = server.get("/platform/audit-log?tenant=acme").send().await;
    assert_eq!(refused.fields(), ["tenant"]);
}

#[rstest]
#[tokio::test]
async fn a20_a_blanked_entry_is_shown_without_what_it_said(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    let telling = server.extension("1002").await;
    let path = format!("/extensions/{telling}");
    server.delete(&path).send().await;
    let shown = server.get("/audit-log").send().await;
    let entry = |place: usize| shown.data(200)[place].clone();
    let id = entry(0)["id"].as_str().unwrap().parse().unwrap();
    let mut tx = server.store.begin("blank").await.unwrap();
    audit::blank_tenant(&mut tx, server.acme.parse().unwrap(), id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let again = server.get("/audit-log").send().await;
    for place in 0..3 {
        let mut expected = entry(place);
        for member in ["before", "after", "reason", "request_id", "address", "agent"] {
            expected[member] = Value::Null;
        }
        expected["actor"]["name"] = Value::Null;
        expected["blanked_by"] = entry(0)["id"].clone();
        assert_eq!(again.data(200)[place], expected);
    }
}
