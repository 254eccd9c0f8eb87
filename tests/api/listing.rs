//! `GET /extensions`: pages, order, search and filter.

use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

fn numbers(answer: &Answer) -> Vec<&str> {
    let data = answer.data(200).as_array().unwrap();
    data.iter().map(|item| item["number"].as_str().unwrap()).collect()
}

async fn list(server: &Server, query: &str) -> Answer {
    server.get(&format!("/extensions{query}")).send().await
}

/// 1001 to 1005, all with names that sort the other way round, 1003 disabled; and a 1001 of somebody else.
async fn with_five(backend: Backend) -> Server {
    let server = Server::start(backend).await;
    for (number, name) in (1001..=1005).zip(["Eve", "dan", "Carol 100%", "bob_b", "Ann"]) {
        let status = if number == 1003 { "disabled" } else { "active" };
        let body = json!({"number": number.to_string(), "name": name, "status": status});
        server.post("/extensions", &body).send().await.data(201);
    }
    server.extension_in(&server.globex, "1001").await;
    server
}

#[rstest]
#[tokio::test]
async fn o20_a_list_is_cut_into_pages(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = with_five(backend).await;
    let meta = |page: i64, per_page: i64, total: i64, last_page: i64| -> Value {
        json!({"page": page, "per_page": per_page, "total": total, "last_page": last_page})
    };
    let whole = list(&server, "").await;
    assert_eq!(numbers(&whole), ["1001", "1002", "1003", "1004", "1005"]);
    assert_eq!(whole.body["meta"], meta(1, 25, 5, 1));
    let second = list(&server, "?page=2&per_page=2").await;
    assert_eq!(numbers(&second), ["1003", "1004"]);
    assert_eq!(second.body["meta"], meta(2, 2, 5, 3));
    let beyond = list(&server, "?page=9&per_page=100").await;
    assert_eq!(numbers(&beyond), [""; 0]);
    assert_eq!(beyond.body["meta"], meta(9, 100, 5, 1));
}

#[rstest]
#[tokio::test]
async fn o20_a_list_is_sorted(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = with_five(backend).await;
    let cases = [
        ("?sort=number", ["1001", "1002", "1003", "1004", "1005"]),
        ("?sort=-number", ["1005", "1004", "1003", "1002", "1001"]),
        ("?sort=name", ["1005", "1004", "1003", "1002", "1001"]),
        ("?sort=-name", ["1001", "1002", "1003", "1004", "1005"]),
        ("?sort=-created_at", ["1005", "1004", "1003", "1002", "1001"]),
        ("?sort=updated_at", ["1001", "1002", "1003", "1004", "1005"]),
    ];
    for (query, expected) in cases {
        assert_eq!(numbers(&list(&server, query).await), expected, "{query}");
    }
}

#[rstest]
#[tokio::test]
async fn o20_a_list_is_searched_and_filtered(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = with_five(backend).await;
    let cases: [(&str, &[&str]); 9] = [
        ("?search=EVE", &["1001"]),
        ("?search=100", &["1001", "1002", "1003", "1004", "1005"]),
        ("?search=100%25", &["1003"]),
        ("?search=b_b", &["1004"]),
        ("?search=_", &["1004"]),
        ("?search=%27%20or%201=1--", &[]),
        ("?status=disabled", &["1003"]),
        ("?status=active&search=an&sort=-number", &["1005", "1002"]),
        ("?search=eve&status=disabled", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(numbers(&list(&server, query).await), expected, "{query}");
    }
    let found = list(&server, "?search=an&per_page=1").await;
    assert_eq!(found.body["meta"]["total"], 2);
}

#[rstest]
#[tokio::test]
async fn o20_a_bad_parameter_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let cases: [(&str, &[&str]); 21] = [
        ("?sort=secret", &["sort"]),
        ("?sort=", &["sort"]),
        ("?sort=--name", &["sort"]),
        ("?sort=name,number", &["sort"]),
        ("?sort=name&sort=number", &["sort"]),
        ("?status=gone", &["status"]),
        ("?status=", &["status"]),
        ("?page=0", &["page"]),
        ("?page=-1", &["page"]),
        ("?page=x", &["page"]),
        ("?page=1.5", &["page"]),
        ("?page=9223372036854775807", &["page"]),
        ("?page=99999999999999999999", &["page"]),
        ("?per_page=0", &["per_page"]),
        ("?per_page=101", &["per_page"]),
        ("?search=", &["search"]),
        ("?search=%00", &["search"]),
        ("?search=a%0Ab", &["search"]),
        ("?colour=red", &["colour"]),
        ("?%00=x", &["\0"]),
        (
            "?sort=x&status=x&page=x&per_page=x&colour=x",
            &["colour", "page", "per_page", "sort", "status"],
        ),
    ];
    for (query, fields) in cases {
        assert_eq!(list(&server, query).await.fields(), fields, "{query}");
    }
}

#[tokio::test]
async fn a_search_that_is_too_long_is_refused() {
    let server = Server::start(Postgres).await;
    list(&server, &format!("?search={}", "x".repeat(200)))
        .await
        .data(200);
    let refused = list(&server, &format!("?search={}", "x".repeat(201))).await;
    assert_eq!(refused.fields(), ["search"]);
    let refused = list(&server, "?search=%FF").await;
    assert!(matches!(refused.status, 200 | 422), "{}", refused.text);
}
