//! `POST /extensions` and `GET /extensions/{id}`.

use rstest::rstest;
use serde_json::{Value, json};

use super::server::{OWN_EMERGENCY, Server};
use super::support::database::Backend::{self, Postgres, Sqlite};

fn everything() -> Value {
    json!({
        "number": "1001", "name": "Zoë \"Doc\" O'Hara", "status": "disabled",
        "caller_id": {"name": "Acme", "number": "+4930123456"},
        "voicemail": {"enabled": true, "email": "zoe@example.com"},
        "forward": {"always": "1002", "busy": "1003", "no_answer": "+4930999"},
        "ring_time": 45, "recording": "always", "max_contacts": 3, "codecs": ["opus", "alaw"],
        "transport": "tls", "outbound_class": "internal",
    })
}

#[rstest]
#[tokio::test]
async fn what_is_made_is_read_back_exactly(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let made = server.post("/extensions", &everything()).send().await;
    let mut data = made.data(201).clone();
    let secret = data["secret"].as_str().unwrap();
    assert!(secret.len() >= 20 && secret.bytes().all(|b| b.is_ascii_alphanumeric()));
    let pin = data["voicemail_pin"].as_str().unwrap();
    assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()));
    for (field, value) in everything().as_object().unwrap() {
        assert_eq!(&data[field], value, "{field}");
    }
    for time in ["created_at", "updated_at"] {
        let text = data[time].as_str().unwrap();
        assert!(
            text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
            "{text}"
        );
    }

    let shown = server.get(&format!("/extensions/{}", data["id"].as_str().unwrap()));
    let shown = shown.send().await;
    let map = data.as_object_mut().unwrap();
    map.remove("secret");
    map.remove("voicemail_pin");
    assert_eq!(shown.data(200), &data);
}

#[rstest]
#[tokio::test]
async fn what_is_absent_or_null_takes_its_default(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let nulls: serde_json::Map<String, Value> = everything()
        .as_object()
        .unwrap()
        .keys()
        .map(|field| (field.clone(), Value::Null))
        .chain([
            ("number".to_owned(), json!("1002")),
            ("name".to_owned(), json!("Bob")),
        ])
        .collect();
    for body in [json!({"number": "1001", "name": "Bob"}), Value::Object(nulls)] {
        let made = server.post("/extensions", &body).send().await;
        let data = made.data(201);
        let expected = json!({
            "name": "Bob", "status": "active", "caller_id": {"name": null, "number": null},
            "voicemail": {"enabled": false, "email": null},
            "forward": {"always": null, "busy": null, "no_answer": null}, "ring_time": 30,
            "recording": "never", "max_contacts": 2, "codecs": ["g722", "alaw", "ulaw"],
            "transport": "udp", "outbound_class": "national",
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&data[field], value, "{field}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn chosen_secrets_are_taken(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let body = json!({"number": "1001", "name": "Ann", "secret": "Correct9Horse8Battery",
        "voicemail": {"enabled": true, "pin": "9081726354"}});
    let made = server.post("/extensions", &body).send().await;
    assert_eq!(made.data(201)["secret"], "Correct9Horse8Battery");
    assert_eq!(made.data(201)["voicemail_pin"], "9081726354");
    assert_eq!(
        made.data(201)["voicemail"],
        json!({"enabled": true, "email": null})
    );
}

#[rstest]
#[tokio::test]
async fn every_wrong_field_is_named_at_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let body = json!({
        "number": "1", "name": "", "status": "gone", "secret": "short", "ring_time": 4, "recording": "x",
        "max_contacts": 11, "codecs": ["alaw", "alaw"], "transport": "sctp", "outbound_class": "",
        "caller_id": {"name": "a,b", "number": "x"}, "voicemail": {"pin": "12", "email": "x"},
        "forward": {"always": "x", "busy": "1", "no_answer": "1002@evil"},
    });
    let refused = server.post("/extensions", &body).send().await;
    let expected = [
        "caller_id.name",
        "caller_id.number",
        "codecs",
        "forward.always",
        "forward.busy",
        "forward.no_answer",
        "max_contacts",
        "name",
        "number",
        "outbound_class",
        "recording",
        "ring_time",
        "secret",
        "status",
        "transport",
        "voicemail.email",
        "voicemail.pin",
    ];
    assert_eq!(refused.fields(), expected);
    assert_eq!(server.audit_actions().await, [""; 0]);
}

#[rstest]
#[case(json!({"name": "Ann"}), "number")]
#[case(json!({"number": "1001"}), "name")]
#[case(json!({"number": 1001, "name": "Ann"}), "number")]
#[case(json!({"number": "1001", "name": "Ann", "colour": "red"}), "colour")]
#[case(json!({"number": "1001", "name": "Ann", "id": "x"}), "id")]
#[case(json!({"number": "1001", "name": "Ann", "tenant_id": "x"}), "tenant_id")]
#[case(json!({"number": "1001", "name": "Ann", "voicemail": []}), "voicemail")]
#[case(json!({"number": "1001", "name": "Ann", "voicemail": [true, "1234"]}), "voicemail")]
#[case(json!({"number": "1001", "name": "Ann", "voicemail": {"enabled": "yes"}}), "voicemail.enabled")]
#[case(json!({"number": "1001", "name": "Ann", "voicemail": {"colour": 1}}), "voicemail.colour")]
#[case(json!({"number": "1001", "name": "Ann", "ring_time": 30.5}), "ring_time")]
#[case(json!({"number": "1001", "name": "Ann", "ring_time": 1e300}), "ring_time")]
#[case(json!({"number": "1001", "name": "Ann", "codecs": "alaw"}), "codecs")]
#[case(json!({"number": "1001", "name": "Ann", "codecs": []}), "codecs")]
#[case(json!({"number": "1001", "name": "Ann", "codecs": [1]}), "codecs[0]")]
#[case(json!({"number": "١٢٣٤", "name": "Ann"}), "number")]
#[case(json!([]), "body")]
#[case(json!("text"), "body")]
#[case(json!(null), "body")]
#[tokio::test]
async fn a_wrong_field_is_named(#[case] body: Value, #[case] field: &str) {
    let server = Server::start(Sqlite).await;
    let refused = server.post("/extensions", &body).send().await;
    assert_eq!(refused.fields(), [field], "{}", refused.text);
}

#[rstest]
#[tokio::test]
async fn no_extension_shadows_an_emergency_number(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for number in [
        "112",
        "911",
        "999",
        "000",
        "110",
        "113",
        "118",
        "119",
        OWN_EMERGENCY,
    ] {
        let body = json!({"number": number, "name": "Ann"});
        let refused = server.post("/extensions", &body).send().await;
        assert_eq!(refused.fields(), ["number"], "{number}");
        let rows = server.post("/extensions/import", &json!([body])).send().await;
        assert_eq!(rows.fields(), ["row 1: number"], "{number}");
    }
    server.extension("1120").await;
}

#[rstest]
#[tokio::test]
async fn a_number_that_is_taken_is_a_conflict_of_this_tenant_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    server.extension_in(&server.globex, "1001").await;
    let body = json!({"number": "1001", "name": "Another"});
    let refused = server.post("/extensions", &body).send().await;
    assert_eq!(refused.code(), (409, "taken"));
    assert!(
        refused.body["errors"]["number"][0].is_string(),
        "{}",
        refused.text
    );
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 1);
}

#[tokio::test]
async fn a_route_that_shows_a_secret_once_honours_no_idempotency_key() {
    let server = Server::start(Sqlite).await;
    let body = json!({"number": "1001", "name": "Ann"});
    let asked = server.post("/extensions", &body).with("idempotency-key", "a");
    assert_eq!(asked.send().await.fields(), ["Idempotency-Key"]);
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 0);
    let path = format!("/extensions/{}/rotate-secret", server.extension("1001").await);
    let asked = server.post(&path, &json!({})).with("idempotency-key", "a");
    assert_eq!(asked.send().await.fields(), ["Idempotency-Key"]);
}

#[tokio::test]
async fn a_parameter_that_nobody_knows_is_refused() {
    let server = Server::start(Sqlite).await;
    let id = server.extension("1001").await;
    let body = json!({"number": "1002", "name": "Ann"});
    let asked = [
        server.post("/extensions?dry_run=true", &body),
        server.get(&format!("/extensions/{id}?x=1")),
        server.patch(&format!("/extensions/{id}?x=1"), &json!({"name": "Eve"})),
        server.delete(&format!("/extensions/{id}?dry_run")),
        server.get("/config/plan?x"),
        server.get("/config/deployments?status=live"),
    ];
    for ask in asked {
        let answer = ask.send().await;
        assert_eq!(answer.fields().len(), 1, "{}", answer.text);
    }
    let list = server.get("/extensions").send().await;
    assert_eq!(list.body["data"][0]["name"], "Phone 1001");
    assert_eq!(list.body["meta"]["total"], 1);
}
