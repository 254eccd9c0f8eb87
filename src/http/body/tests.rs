//! What is wrong with a body is said by field, and never with the refused value.

use super::*;
use rstest::rstest;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading of it is looked at")]
struct Thing {
    name: String,
    ring_time: Option<u16>,
    forward: Option<Forward>,
    codecs: Option<Vec<crate::domain::codec::Codec>>,
    active: Option<bool>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading of it is looked at")]
struct Forward {
    busy: Option<String>,
}

fn thing(body: &[u8]) -> Result<Thing, Problem> {
    parse(body, b'{', "an object")
}

async fn answer(problem: Problem) -> (u16, Value) {
    use axum::response::IntoResponse as _;
    let response = problem.into_response();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), LARGEST).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[rstest]
#[case(r#"{"name":1}"#, "name", "must be a text")]
#[case(r#"{"name":null}"#, "name", "must be a text")]
#[case("{}", "name", "is required")]
#[case(r#"{"name":"x","name":"y"}"#, "name", "is given twice")]
#[case(
    r#"{"name":"x","ring_time":"s3cret"}"#,
    "ring_time",
    "must be a whole number that is not negative"
)]
#[case(
    r#"{"name":"x","ring_time":-1}"#,
    "ring_time",
    "must be a whole number that is not negative"
)]
#[case(
    r#"{"name":"x","ring_time":70000}"#,
    "ring_time",
    "must be a whole number that is not negative"
)]
#[case(
    r#"{"name":"x","active":"s3cret, expected yes"}"#,
    "active",
    "must be `true` or `false`"
)]
#[case(r#"{"name":"x","forward":{"busy":[]}}"#, "forward.busy", "must be a text")]
#[case(r#"{"name":"x","forward":"s3cret"}"#, "forward", "must be an object")]
#[case(
    r#"{"name":"x","forward":{"bussy":"1"}}"#,
    "forward.bussy",
    "is not a known field; expected `busy`"
)]
#[case(
    r#"{"colour":"s3cret"}"#,
    "colour",
    "is not a known field; expected one of `name`, `ring_time`, `forward`, `codecs`, `active`"
)]
#[case(
    r#"{"name":"x","codecs":["alaw","s3cret"]}"#,
    "codecs[1]",
    "must be one of: `opus` `g722` `alaw` `ulaw` `gsm` `g729`"
)]
#[case(r#"["x"]"#, "body", "must be an object")]
#[case(r#""s3cret""#, "body", "must be an object")]
#[case("null", "body", "must be an object")]
#[tokio::test]
async fn a_wrong_field_is_named(#[case] body: &str, #[case] field: &str, #[case] reason: &str) {
    let (status, answer) = answer(thing(body.as_bytes()).unwrap_err()).await;
    assert_eq!(status, 422);
    assert_eq!(answer["errors"], json!({field: [reason]}));
    assert!(!answer.to_string().contains("s3cret"));
}

#[rstest]
#[case("")]
#[case("{")]
#[case(r#"{"name":"x"} {}"#)]
#[case(r#"{"name":"x",}"#)]
#[case("name=x")]
#[case("[")]
#[case("{\"name\":\"\u{0}\"}")]
#[case(&format!("{{\"name\":{}", "[".repeat(1000)))]
#[tokio::test]
async fn what_is_no_json_is_malformed(#[case] body: &str) {
    let (status, answer) = answer(thing(body.as_bytes()).unwrap_err()).await;
    assert_eq!(
        (status, &answer["code"]),
        (400, &json!("malformed_json")),
        "{answer}"
    );
}

#[test]
fn text_that_is_no_utf8_is_malformed() {
    let problem = thing(b"{\"name\":\"\xff\"}").unwrap_err();
    assert_eq!(problem.code(), "malformed_json");
}

#[rstest]
#[case(Some("application/json"), None, true)]
#[case(Some("Application/JSON; charset=utf-8"), None, true)]
#[case(Some("application/merge-patch+json"), None, true)]
#[case(Some("application/json"), Some("identity"), true)]
#[case(Some("application/json"), Some("gzip"), false)]
#[case(Some("text/json"), None, false)]
#[case(Some("application/x-www-form-urlencoded"), None, false)]
#[case(None, None, false)]
fn only_json_is_read(#[case] media_type: Option<&str>, #[case] encoding: Option<&str>, #[case] good: bool) {
    let mut headers = HeaderMap::new();
    if let Some(value) = media_type {
        headers.insert(CONTENT_TYPE, value.parse().unwrap());
    }
    if let Some(value) = encoding {
        headers.insert(CONTENT_ENCODING, value.parse().unwrap());
    }
    assert_eq!(is_json(&headers), good);
}

#[tokio::test]
async fn a_list_is_no_object_and_an_object_no_list() {
    let numbers: Vec<u8> = parse(b" [1,2]", b'[', "a list").unwrap();
    assert_eq!(numbers, [1, 2]);
    let (_, refused) = answer(parse::<Vec<u8>>(b"{}", b'[', "a list").unwrap_err()).await;
    assert_eq!(refused["errors"], json!({"body": ["must be a list"]}));
    let (_, refused) = answer(parse::<Vec<u8>>(b"[1,\"x\"]", b'[', "a list").unwrap_err()).await;
    assert_eq!(
        refused["errors"],
        json!({"[1]": ["must be a whole number that is not negative"]})
    );
}

#[test]
fn a_value_is_read_like_a_body() {
    let errors = from_value::<Thing>(&json!({"name": "x", "colour": "s3cret"}))
        .unwrap_err()
        .to_string();
    assert!(errors.starts_with("colour is not a known field"), "{errors}");
    let errors = from_value::<Thing>(&json!({"name": "x", "active": "s3cret"}))
        .unwrap_err()
        .to_string();
    assert_eq!(errors, "active must be `true` or `false`");
}

/// A body of which `first` comes at once, and the rest never.
fn unfinished(first: &'static str) -> Request {
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(first)]);
    let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    Request::new(axum::body::Body::from_stream(body))
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_not_waited_for() {
    let limits = Limits {
        patience: Duration::from_millis(50),
        ..Limits::default()
    };
    for first in ["", "{\"name\":"] {
        let read = timeout(Duration::from_secs(20), read(unfinished(first), limits));
        let problem = read.await.unwrap().unwrap_err();
        assert_eq!(
            (problem.status(), problem.code()),
            (StatusCode::REQUEST_TIMEOUT, "body_timeout")
        );
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_read_as_far_as_it_may_be() {
    let limits = Limits {
        largest: 3,
        ..Limits::default()
    };
    let request = |text: &'static str| Request::new(axum::body::Body::from(text));
    assert_eq!(read(request("abc"), limits).await.unwrap(), "abc");
    let read = timeout(Duration::from_secs(20), read(unfinished("abcd"), limits));
    let problem = read.await.unwrap().unwrap_err();
    assert_eq!(
        (problem.status(), problem.code()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
    );
}
