//! Forwarded calls: always, when busy, when nobody answers or no phone is signed in; never to another tenant.

use serde_json::{Value, json};

use super::office::{ACME, GLOBEX, Office, plain};
use super::support::sipp::{Account, SipMessage};
use super::support::tenants::TestTenant;

/// Everything goes to 1002 sooner or later.
async fn forwarding(extension: Value, scenario: Option<&str>) -> SipMessage {
    let number = extension["number"].as_str().unwrap().to_owned();
    let office = Office::open(&[
        TestTenant::new(ACME, &[plain("1001", "Ann"), plain("1002", "Bob"), extension]),
        TestTenant::new(GLOBEX, &[plain("1002", "Hugo")]),
    ])
    .await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    let bob = office.phone("answer", "1002", ACME).await;
    let first = match scenario {
        Some(scenario) => Some(office.phone(scenario, &number, ACME).await),
        None => None,
    };
    let mut call = office.call(&Account::new("1001", ACME), &number, "9");
    call.status(200).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert!(hugo.request("INVITE").is_none());
    if let Some(first) = first {
        let rung = first.request("INVITE").is_some();
        assert_eq!(rung, scenario != Some("answer"), "{number} was rung");
    }
    bob.request("INVITE").unwrap()
}

#[tokio::test]
async fn forward_always_rings_the_other_phone_only() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"always": "1002"}});
    let invite = forwarding(extension, Some("answer")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=unconditional"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_busy() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"busy": "1002"}});
    let invite = forwarding(extension, Some("busy")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=user-busy"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_nobody_answers() {
    let extension =
        json!({"number": "1003", "name": "Cleo", "ring_time": 5, "forward": {"no_answer": "1002"}});
    let invite = forwarding(extension, Some("silent")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=no-answer"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_no_phone_is_signed_in() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"no_answer": "1002"}});
    let invite = forwarding(extension, None).await;
    assert!(invite.header("Diversion").unwrap().contains("sip:1003@"));
}
