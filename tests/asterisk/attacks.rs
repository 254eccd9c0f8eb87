//! Phones that mean harm: what a phone says of itself never leads a call out of its extension.

use serde_json::json;

use super::office::{ACME, GLOBEX, Office, plain};
use super::support::ami::{Ami, field};
use super::support::sipp::{Account, SipMessage, Sipp};
use super::support::tenants::TestTenant;
use super::support::wait::until;

/// Ann of acme is attacked from within or attacks; Gina of globex has her number and must not notice.
async fn office() -> Office {
    Office::open(&[
        TestTenant::new(
            ACME,
            &[plain("1001", "Ann"), plain("1002", "Bob"), plain("1003", "Cleo")],
        ),
        TestTenant::new(GLOBEX, &[plain("1001", "Gina")]),
    ])
    .await
}

/// How often a phone was rung.
fn rings(phone: &Sipp) -> usize {
    let heard = phone.heard();
    heard
        .iter()
        .filter(|message| message.received && message.is("INVITE"))
        .count()
}

/// The channels that came into being since the listener signed in.
fn channels(listener: &mut Ami) -> Vec<String> {
    let events = listener.events_until("Ping");
    let new = events
        .iter()
        .filter(|event| field(event, "Event") == Some("Newchannel"));
    new.map(|event| field(event, "Channel").unwrap().to_owned())
        .collect()
}

/// All that Asterisk has complained of.
fn complaints(office: &Office) -> Vec<String> {
    let log = std::fs::read_to_string(office.bench.pbx.home().join("log/messages")).unwrap();
    let complaint = |line: &&str| line.contains("] WARNING[") || line.contains("] ERROR[");
    log.lines().filter(complaint).map(str::to_owned).collect()
}

/// Bob calls Ann, whose phone does what the scenario says; nothing but these two phones has a part in it.
async fn bob_calls_ann_and_nobody_else_is_reached(ann: &Account, scenario: &str, keys: &[(&str, &str)]) {
    let office = office().await;
    let gina = office.phone("busy", "1001", GLOBEX).await;
    let anns = office.sign_in(scenario, ann, keys).await;
    let before = complaints(&office);
    let mut listener = Ami::listening(&office.bench.pbx.private);
    let mut call = office.call(&Account::new("1002", ACME), "1001", "9");
    assert!(call.ended().await, "{:#?}", call.heard());
    let channels = channels(&mut listener);
    assert_eq!(rings(&gina), 0, "the other tenant's 1001 was rung: {channels:?}");
    let of_the_two = |name: &String| {
        ["PJSIP/1001@acme.example.com-", "PJSIP/1002@acme.example.com-"]
            .iter()
            .any(|own| name.starts_with(own))
    };
    assert!(
        channels.len() == 2 && channels.iter().all(of_the_two),
        "{channels:?}"
    );
    assert_eq!(rings(&anns), 1);
    assert_eq!(call.statuses().last(), Some(&486), "{:#?}", call.heard());
    assert_eq!(complaints(&office), before);
}

async fn contact_reaches_nobody_else(contact: &str) {
    let ann = Account::with_contact("1001", ACME, contact);
    bob_calls_ann_and_nobody_else_is_reached(&ann, "busy", &[]).await;
}

#[tokio::test]
async fn a_contact_that_names_another_tenants_phone_rings_its_own_phone_only() {
    contact_reaches_nobody_else(r#"<sip:x@127.0.0.1:PORT;p="|1&PJSIP/1001@globex.example.com&PJSIP/x|">"#)
        .await;
}

#[tokio::test]
async fn a_contact_that_names_a_number_rings_its_own_phone_only() {
    contact_reaches_nobody_else("<sip:x&Local/100/n&y@127.0.0.1:PORT>").await;
}

#[tokio::test]
async fn a_contact_that_names_options_of_dial_rings_its_own_phone_only() {
    contact_reaches_nobody_else("<sip:a,60,m(x)@127.0.0.1:PORT>").await;
}

#[tokio::test]
async fn a_contact_whose_parameter_names_a_number_rings_its_own_phone_only() {
    contact_reaches_nobody_else("<sip:x@127.0.0.1:PORT;p=1&Local/100/n&y>").await;
}

#[tokio::test]
async fn a_contact_that_pretends_to_be_two_rings_its_own_phone_only() {
    contact_reaches_nobody_else(
        r#"<sip:x@127.0.0.1:PORT;p="&PJSIP/1001@acme.example.com/sip:x@127.0.0.1:5099">"#,
    )
    .await;
}

async fn redirection_reaches_nobody_else(moved: &str) {
    let ann = Account::new("1001", ACME);
    bob_calls_ann_and_nobody_else_is_reached(&ann, "moved", &[("moved", moved)]).await;
}

#[tokio::test]
async fn a_phone_that_redirects_to_another_tenants_phone_is_busy() {
    redirection_reaches_nobody_else("sip:PJSIP%2F1001%40globex.example.com@127.0.0.1").await;
}

#[tokio::test]
async fn a_phone_that_redirects_to_a_channel_of_the_pbx_is_busy() {
    redirection_reaches_nobody_else("sip:Local%2F1001%40globex.example.com@127.0.0.1").await;
}

#[tokio::test]
async fn a_text_message_rings_nobody() {
    let office = office().await;
    let ann = office.phone("busy", "1001", ACME).await;
    let bob = Account::new("1002", ACME);
    let mut message = office.run("message", &bob, &[("target", "1001@acme.example.com")]);
    assert!(message.ended().await, "{:#?}", message.heard());
    // The call comes after the message, so what the message starts has begun by the call's end.
    let mut call = office.call(&bob, "1001", "9");
    assert!(call.ended().await, "{:#?}", call.heard());
    assert_eq!(rings(&ann), 1);
}

/// Two phones of one extension: both ring, and the one that answers has the call; how that one was asked.
async fn both_ring(rings_only: &str, answers: &str) -> SipMessage {
    let office = Office::open(&[TestTenant::new(
        ACME,
        &[
            json!({"number": "1001", "name": "Ann", "max_contacts": 2}),
            plain("1002", "Bob"),
        ],
    )])
    .await;
    let first = Account::with_contact("1001", ACME, rings_only);
    let first = office.sign_in("silent", &first, &[]).await;
    let second = Account::with_contact("1001", ACME, answers);
    let second = office.sign_in("answer", &second, &[("media", "9")]).await;
    let mut call = office.call(&Account::new("1002", ACME), "1001", "9");
    call.status(200).await;
    until("the other phone is told to stop", || {
        first.request("CANCEL").is_some()
    })
    .await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert_eq!((rings(&first), rings(&second)), (1, 1));
    assert!(second.request("ACK").is_some() && second.request("BYE").is_some());
    second.request("INVITE").unwrap()
}

#[tokio::test]
async fn two_phones_of_an_extension_both_ring_and_the_first_to_answer_has_the_call() {
    both_ring(
        "<sip:1001@127.0.0.1:PORT>",
        "<sip:1001@127.0.0.1:PORT;ob;transport=udp>",
    )
    .await;
}

#[tokio::test]
async fn phones_behind_nat_and_with_parameters_and_names_both_ring() {
    both_ring(
        r#""Ann & Co, Berlin" <sip:1001@192.168.1.23:5061;line=abc123>;+sip.instance="<urn:uuid:6f0a3d52>""#,
        "<sip:1001-0x55d0c8@[fd00::23]:5062;transport=UDP;rinstance=4fe0a1c2b3d4e5f6>;q=0.8",
    )
    .await;
}

#[tokio::test]
async fn a_phone_with_an_ampersand_in_its_contact_rings_beside_another_and_finds_it_unchanged() {
    let parameters = "pn-provider=apns;pn-param=T.example.app.remote&voip;pn-prid=aa:remote&bb:voip";
    let contact = format!("<sip:1001@127.0.0.1:PORT;{parameters}>");
    let invite = both_ring("<sip:1001@127.0.0.1:PORT>", &contact).await;
    let request = invite.text.lines().next().unwrap();
    assert!(request.contains(parameters), "{request}");
}
