//! Hostile values: refused with the field's name, or taken and read back exactly, also in the plan that is rendered.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const TAKEN: [&str; 20] = [
    "Zoë \"The Doc\" O'Hara",
    "]",
    "[evil]",
    "a;b",
    ";-- x --;",
    "#include /etc/passwd",
    "#exec rm",
    "${SHELL}",
    "$[1+1]",
    "${CURL(http://x)}",
    "a\\b",
    "\\",
    "a=b",
    "=> x",
    "a|b",
    "<a@b>",
    "</x><script>",
    "日本語",
    "' or 1=1 --",
    "%s%n",
];

const REFUSED: [&str; 16] = [
    "",
    " ",
    " x",
    "x ",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "a\0b",
    "a\tb",
    "a\u{7f}b",
    "a\u{85}b",
    "a\u{200f}b",
    "\u{202e}cba",
    "a\u{2028}b",
    "a,b",
    "\u{feff}x",
];

#[rstest]
#[tokio::test]
async fn a_name_is_read_back_exactly_or_refused_by_field(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for (number, name) in (2000..).zip(TAKEN) {
        let body = json!({"number": number.to_string(), "name": name, "caller_id": {"name": name}});
        let made = server.post("/extensions", &body).send().await.data(201).clone();
        assert_eq!(made["name"], name);
        let path = format!("/extensions/{}", made["id"].as_str().unwrap());
        let read = server.get(&path).send().await;
        assert_eq!(
            (&read.data(200)["name"], &read.data(200)["caller_id"]["name"]),
            (&json!(name), &json!(name))
        );
        let patched = server
            .patch(&path, &json!({"name": "x", "caller_id": null}))
            .send()
            .await;
        patched.data(200);
        let patched = server.patch(&path, &json!({"name": name})).send().await;
        assert_eq!(patched.data(200)["name"], name);
    }
    let long = ["x".repeat(10_000), "é".repeat(40), "x".repeat(65)];
    for name in REFUSED.into_iter().chain(long.iter().map(String::as_str)) {
        let body = json!({"number": "1001", "name": name, "caller_id": {"name": name}});
        let refused = server.post("/extensions", &body).send().await;
        assert_eq!(refused.fields(), ["caller_id.name", "name"], "{name:?}");
        assert!(refused.text.len() < 2_000, "the value is repeated");
    }
    // What was taken can be planned, and nothing of it begins a line of its own.
    let plan = server.get("/config/plan").send().await;
    let data = plan.data(200);
    assert!(
        data["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["severity"] != "error"),
        "{}",
        plan.text
    );
    for file in data["files"].as_array().unwrap() {
        let diff = file["diff"].as_str().unwrap();
        for line in diff.lines().map(|line| line.trim_start_matches(['+', '-', ' '])) {
            assert!(
                !line.starts_with("#exec") && !line.starts_with("#include"),
                "{line}"
            );
            assert!(!line.starts_with("[evil]"), "{line}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_field_that_asterisk_could_misread_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let cases = [
        ("number", json!("_XXX")),
        ("number", json!("10;rm")),
        ("number", json!("1001\n[evil]")),
        ("number", json!("1001@evil")),
        ("number", json!("0".repeat(10_000))),
        ("forward.always", json!("1002,,D(x)")),
        ("forward.always", json!("${EXTEN}")),
        ("forward.always", json!("1002&SIP/evil")),
        ("forward.no_answer", json!("+")),
        ("caller_id.number", json!("1\r\nx")),
        ("voicemail.email", json!("a@b.example,attach=no")),
        ("voicemail.email", json!("a@b.example|x=y")),
        ("voicemail.email", json!("${SHELL}@b.example")),
        ("voicemail.email", json!("a@b.example\nx")),
        (
            "voicemail.email",
            json!(format!("{}@b.example", "a".repeat(10_000))),
        ),
        ("voicemail.pin", json!("12\n34")),
        ("secret", json!("quote\"quote\"quote")),
        ("secret", json!("\0\0\0\0\0\0\0\0\0\0\0\0\0")),
        ("status", json!("active\0")),
        ("transport", json!("udp\n")),
        ("codecs", json!(["alaw\n"])),
    ];
    for (field, value) in cases {
        let mut body = json!({"number": "1001", "name": "Ann"});
        match field.split_once('.') {
            Some((outer, inner)) => body[outer][inner] = value,
            None => body[field] = value,
        }
        let refused = server.post("/extensions", &body).send().await;
        assert_eq!(refused.fields().len(), 1, "{}", refused.text);
        assert!(refused.fields()[0].starts_with(field), "{}", refused.text);
        assert!(refused.text.len() < 2_000, "the value is repeated");
    }
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 0);
}

#[rstest]
#[case(r#"{"number":"1001","number":"1002","name":"Ann"}"#, 422)]
#[case(r#"{"number":"1001","name":"\ud800"}"#, 400)]
#[case("{\"number\":\"1001\",\"name\":\"a\nb\"}", 400)]
#[case(r#"{"number":"1001","name":"Ann"} {}"#, 400)]
#[case(r#"{"number":"1001","name":"Ann",}"#, 400)]
#[case(r#"{"number":"1001","name":"Ann","ring_time":1e999}"#, 400)]
#[case(r#"{"number":"1001","name":"Ann","ring_time":NaN}"#, 400)]
#[case("\u{feff}{}", 400)]
#[tokio::test]
async fn a_body_that_two_readers_could_read_differently_is_refused(#[case] body: &str, #[case] status: u16) {
    let server = Server::start(Sqlite).await;
    let answer = server.post("/extensions", &json!({})).bytes(body).send().await;
    assert_eq!(answer.status, status, "{}", answer.text);
    let answer = server
        .post("/extensions", &json!({}))
        .bytes("[".repeat(500_000))
        .send()
        .await;
    assert_eq!(answer.code(), (400, "malformed_json"));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
    let server = Server::start(Postgres).await;
    let body = b"{\"number\":\"1001\",\"name\":\"\xff\xfe\"}".to_vec();
    let answer = server.post("/extensions", &json!({})).bytes(body).send().await;
    assert_eq!(answer.code(), (400, "malformed_json"));
    for name in [
        "authorization",
        "x-operate-as-tenant",
        "x-reason",
        "x-request-id",
        "content-type",
    ] {
        let body = json!({"number": "1001", "name": "Ann"});
        let answer = server
            .post("/extensions", &body)
            .with_bytes(name, b"\xff\xfe")
            .send()
            .await;
        let id_only = name == "x-request-id" && answer.status == 201;
        let reason = name == "x-reason";
        assert!(
            id_only || reason || (400..500).contains(&answer.status),
            "{name}: {}",
            answer.text
        );
    }
}

/// What stands in the headers that a change may have: read as it is, refused, or without a meaning.
#[rstest]
#[tokio::test]
async fn a_header_is_no_way_in(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = format!("/extensions/{}", server.extension("1001").await);
    let deployment = server.deployment_in(&server.acme).await;
    let values: [&[u8]; 8] = [
        b"' or 1=1 --",
        b"\"' or 1=1 --\"",
        b"\"1\" or \"1\"=\"1\"",
        b"\"\xff\"",
        b"\xf0\x9f\x92\xa9",
        b"%00",
        b"../../etc/passwd",
        b"${SHELL}",
    ];
    let long = b"x".repeat(8_000);
    for value in values.into_iter().chain([long.as_slice()]) {
        let patch = server.patch(&path, &json!({"name": "Eve"}));
        let patch = patch.with_bytes("if-match", value).send().await;
        assert!([400, 412].contains(&patch.status), "{patch:?}");
        let key = server.ask(Method::POST, "/config/deploy");
        let key = key.with_bytes("idempotency-key", value).send().await;
        assert!([202, 400].contains(&key.status), "{key:?}");
        let events = server.get(&format!("/config/deployments/{deployment}/events"));
        let events = events.with_bytes("last-event-id", value).send().await;
        assert_eq!(events.status, 200, "{events:?}");
    }
    assert_eq!(server.get(&path).send().await.data(200)["name"], "Phone 1001");
}
