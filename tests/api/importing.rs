//! `POST /extensions/import`: all rows or none, with a report row by row.

use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::{OWN_EMERGENCY, Server};
use super::support::database::Backend::{self, Postgres, Sqlite};

async fn import(server: &Server, query: &str, rows: &Value) -> Answer {
    server
        .post(&format!("/extensions/import{query}"), rows)
        .send()
        .await
}

async fn total(server: &Server) -> i64 {
    server.get("/extensions").send().await.body["meta"]["total"]
        .as_i64()
        .unwrap()
}

fn good() -> Value {
    json!([
        {"number": "1001", "name": "Ann", "voicemail": {"enabled": true}},
        {"number": "1002", "name": "Bob", "secret": "Correct9Horse8Battery"},
    ])
}

#[rstest]
#[tokio::test]
async fn good_rows_are_made_together(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let dry = import(&server, "?dry_run=true", &good()).await;
    let row = |line: u64, number: &str| json!({"line": line, "number": number, "errors": {}});
    let mut report = json!({
        "imported": false, "good": 2, "bad": 0, "rows": [row(1, "1001"), row(2, "1002")],
    });
    assert_eq!(dry.data(200), &report);
    assert_eq!(total(&server).await, 0);
    assert_eq!(server.audit_actions().await, [""; 0]);

    report["imported"] = json!(true);
    assert_eq!(import(&server, "", &good()).await.data(201), &report);
    let list = server.get("/extensions").send().await;
    assert_eq!(list.data(200)[0]["voicemail"]["enabled"], true);
    assert_eq!(list.body["meta"]["total"], 2);
    assert_eq!(server.audit_actions().await, ["extension.import"]);
    let bob = list.data(200)[1]["id"].as_str().unwrap();
    let revealed = server.post(&format!("/extensions/{bob}/reveal-secret"), &json!({}));
    assert_eq!(revealed.send().await.data(200)["secret"], "Correct9Horse8Battery");
}

#[rstest]
#[tokio::test]
async fn one_wrong_row_keeps_all_out_and_every_wrong_row_is_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.extension("1009").await;
    let rows = json!([
        {"number": "1001", "name": "Ann"},
        {"number": "1001", "name": "Twice"},
        {"number": "1009", "name": "There"},
        {"number": OWN_EMERGENCY, "name": "Help"},
        {"number": "1003", "name": 7, "ring_time": 1},
        {"number": "1004", "name": "Eve", "colour": "red"},
        {"number": "1", "name": "a,b"},
        ["1005", "List"],
        null,
        {"number": 1006, "name": "Number"},
        {"number": "1007", "name": "Box", "voicemail": [true]},
        {"number": "1002", "name": "Good"},
    ]);
    let dry = import(&server, "?dry_run", &rows).await;
    let report = dry.data(200).clone();
    assert_eq!(
        (&report["imported"], &report["good"], &report["bad"]),
        (&json!(false), &json!(2), &json!(10))
    );
    let wrong: Vec<(u64, Value, Vec<String>)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let fields = row["errors"].as_object().unwrap().keys().cloned().collect();
            (row["line"].as_u64().unwrap(), row["number"].clone(), fields)
        })
        .collect();
    let expected: [(Value, &[&str]); 12] = [
        (json!("1001"), &[]),
        (json!("1001"), &["number"]),
        (json!("1009"), &["number"]),
        (json!(OWN_EMERGENCY), &["number"]),
        (json!("1003"), &["name"]),
        (json!("1004"), &["colour"]),
        (json!("1"), &["name", "number"]),
        (Value::Null, &["body"]),
        (Value::Null, &["body"]),
        (Value::Null, &["number"]),
        (json!("1007"), &["voicemail"]),
        (json!("1002"), &[]),
    ];
    for ((line, number, fields), (row, (expected_number, expected_fields))) in
        wrong.iter().zip((1..).zip(&expected))
    {
        assert_eq!((*line, number), (row, expected_number));
        assert_eq!(fields, expected_fields, "row {line}");
    }

    let refused = import(&server, "", &rows).await;
    let fields = refused.fields();
    assert!(
        fields.contains(&"row 7: name") && fields.contains(&"row 7: number"),
        "{fields:?}"
    );
    assert_eq!(refused.body["report"], report);
    assert_eq!(total(&server).await, 1);
    assert_eq!(server.audit_actions().await, ["extension.create"]);
}

#[rstest]
#[tokio::test]
async fn thousands_of_rows_are_one_import(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let rows = |count: u32| -> Value {
        (0..count)
            .map(|n| json!({"number": (10_000 + n).to_string(), "name": format!("Phone {n}")}))
            .collect()
    };
    let refused = import(&server, "?dry_run", &rows(10_001)).await;
    assert_eq!(refused.fields(), ["rows"]);
    assert_eq!(import(&server, "", &rows(2_000)).await.data(201)["good"], 2_000);
    assert_eq!(total(&server).await, 2_000);
}

#[tokio::test]
async fn what_is_no_list_of_rows_is_refused() {
    let server = Server::start(Sqlite).await;
    for body in [json!({}), json!({"rows": []}), json!("x"), json!(null)] {
        assert_eq!(import(&server, "", &body).await.fields(), ["body"]);
    }
    assert_eq!(
        import(&server, "?dry_run=perhaps", &good()).await.fields(),
        ["dry_run"]
    );
    assert_eq!(
        import(&server, "?dryrun=true", &good()).await.fields(),
        ["dryrun"]
    );
    assert_eq!(import(&server, "", &json!([])).await.fields(), ["rows"]);
    assert_eq!(total(&server).await, 0);
}

#[rstest]
#[tokio::test]
async fn a_table_is_imported_like_a_list(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let table = async |query: &str, text: &[u8]| {
        let ask = server.post(&format!("/extensions/import{query}"), &json!({}));
        ask.with("content-type", "text/csv; charset=utf-8")
            .bytes(text)
            .send()
            .await
    };
    let wrong = b"number,name,voicemail.enabled\r\n1001,Ann,true\r\n112,Help,false\r\n\"1002\",\"a,b\",\r\n";
    let dry = table("?dry_run", wrong).await;
    let rows = dry.data(200)["rows"].as_array().unwrap();
    let lines: Vec<_> = rows
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), &row["errors"]))
        .collect();
    assert_eq!((lines[0].0, lines[1].0, lines[2].0), (2, 3, 4));
    assert!(
        lines[1].1["number"].is_array() && lines[2].1["name"].is_array(),
        "{}",
        dry.text
    );
    assert_eq!(table("", wrong).await.fields(), ["row 3: number", "row 4: name"]);
    assert_eq!(total(&server).await, 0);

    let good = b"\xef\xbb\xbfnumber,name,voicemail.enabled\n1001,Ann,true\n1002,Bob,\n";
    assert_eq!(table("", good).await.data(201)["good"], 2);
    let list = server.get("/extensions").send().await;
    assert_eq!(list.data(200)[0]["voicemail"]["enabled"], true);

    for text in [
        &b""[..],
        b"number\n1003\n",
        b"number,name,colour\n1003,Ann,red\n",
        b"\xff\xfe\0",
    ] {
        assert_eq!(table("", text).await.fields(), ["body"], "{text:?}");
    }
    let unreasoned = server
        .post("/extensions/import", &json!({}))
        .with("content-type", "text/csv");
    assert_eq!(
        unreasoned.without("x-reason").send().await.code(),
        (400, "reason_required")
    );
    assert_eq!(
        table("", &vec![b'x'; 1024 * 1024 + 1]).await.code(),
        (413, "body_too_large")
    );
    assert_eq!(total(&server).await, 2);
}
