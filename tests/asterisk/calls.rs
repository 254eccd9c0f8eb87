//! Calls over real SIP: who may sign in, whom a number reaches, and what happens when nobody answers.

use std::path::Path;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::tenant::{RecordingPolicy, Service};

use super::office::{ACME, GLOBEX, Office, plain};
use super::support::media::Media;
use super::support::sipp::Account;
use super::support::tenants::{PIN, TestTenant};
use super::support::wait::until;

async fn two_tenants() -> Office {
    Office::open(&[
        TestTenant::new(ACME, &[plain("1001", "Ann"), plain("1002", "Bob")]),
        TestTenant::new(
            GLOBEX,
            &[plain("1001", "Gina"), plain("1002", "Hugo"), plain("1003", "Ida")],
        ),
    ])
    .await
}

#[tokio::test]
async fn phones_of_two_tenants_with_the_same_numbers_call_inside_their_tenant() {
    let office = two_tenants().await;
    let bob = office.phone("answer", "1002", ACME).await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    for (domain, name, rung, other) in [(ACME, "Ann", &bob, &hugo), (GLOBEX, "Gina", &hugo, &bob)] {
        let before = other
            .heard()
            .iter()
            .filter(|message| message.is("INVITE"))
            .count();
        let mut call = office.call(&Account::new("1001", domain), "1002", "9");
        call.status(200).await;
        office.hang_up_all();
        assert!(call.ended().await, "{:#?}", call.heard());
        let invite = rung.request("INVITE").unwrap();
        let from = invite.header("From").unwrap();
        assert!(
            from.starts_with(&format!("\"{name}\" <sip:1001@{domain}>")),
            "{from}"
        );
        let after = other
            .heard()
            .iter()
            .filter(|message| message.is("INVITE"))
            .count();
        assert_eq!(after, before, "the other tenant's 1002 was rung");
    }
}

#[tokio::test]
async fn nobody_signs_in_with_the_other_tenants_secret_or_for_another() {
    let office = two_tenants().await;
    let ann = Account::new("1001", ACME);
    let (register, let_in) = office.register(&ann, &ann.address()).await;
    assert!(
        let_in && register.statuses() == [401, 200],
        "{:#?}",
        register.heard()
    );

    let mut thief = Account::new("1001", ACME);
    thief.secret = super::support::tenants::secret("1001", GLOBEX);
    let (register, let_in) = office.register(&thief, &thief.address()).await;
    assert!(!let_in && register.statuses() == [401], "{:#?}", register.heard());

    for address in ["1001@globex.example.com", "1002@acme.example.com"] {
        let (register, let_in) = office.register(&Account::new("1001", ACME), address).await;
        assert!(
            !let_in && !register.statuses().contains(&200),
            "{:#?}",
            register.heard()
        );
    }

    let mut call = office.call(&thief, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses(), [401]);
}

#[tokio::test]
async fn no_call_leaves_its_tenant() {
    let office = two_tenants().await;
    let bob = office.phone("answer", "1002", ACME).await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    let ida = office.phone("answer", "1003", GLOBEX).await;
    let ann = Account::new("1001", ACME);

    // The domain that is asked for does not count, the caller's does.
    let mut call = office.run(
        "call",
        &ann,
        &[("target", "1002@globex.example.com"), ("media", "9")],
    );
    call.status(200).await;
    office.hang_up_all();
    call.ended().await;
    assert!(bob.request("INVITE").is_some());

    let mut call = office.run(
        "call",
        &ann,
        &[("target", "1003@globex.example.com"), ("media", "9")],
    );
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&404));
    for phone in [&hugo, &ida] {
        assert!(phone.request("INVITE").is_none());
    }
}

#[tokio::test]
async fn an_unanswered_call_leaves_a_message_in_the_mailbox() {
    let office = Office::open(&[
        TestTenant::new(
            ACME,
            &[
                plain("1001", "Ann"),
                json!({"number": "1002", "name": "Bob", "ring_time": 5, "voicemail": {"enabled": true}}),
            ],
        ),
        TestTenant::new(
            GLOBEX,
            &[json!({"number": "1002", "name": "Hugo", "voicemail": {"enabled": true}})],
        ),
    ])
    .await;
    let phone = office.phone("silent", "1002", ACME).await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1002", &media.port());
    call.status(180).await;
    call.status(200).await;
    assert!(phone.request("CANCEL").is_some());
    office.prompt("vm-intro").await;
    // The key ends the prompt.
    media.press("#");
    office.prompt("beep").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    let messages = |domain: &str| {
        office
            .bench
            .pbx
            .home()
            .join(format!("spool/voicemail/{domain}/1002/INBOX"))
    };
    until("the message is there", || {
        has_sound(&messages(ACME).join("msg0000.wav"))
    })
    .await;
    assert!(!messages(GLOBEX).join("msg0000.wav").exists());

    // The phone is told, and who listens to it must know the PIN.
    until("the phone is told of the message", || {
        phone
            .heard()
            .iter()
            .any(|message| message.is("NOTIFY") && message.text.contains("Messages-Waiting: yes"))
    })
    .await;
    let listener = Account::new("1002", ACME);
    let media = Media::start();
    let mut call = office.call(&listener, "*97", &media.port());
    call.status(200).await;
    office.prompt("vm-password").await;
    media.press("111111#");
    office.prompt("vm-incorrect").await;
    office.prompt_again("vm-password", 2).await;
    assert!(!office.played().contains("vm-youhave"));
    media.press(&format!("{PIN}#"));
    office.prompt("vm-youhave").await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
}

/// A header alone has 44 bytes.
pub fn has_sound(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 8_000)
}

#[tokio::test]
async fn star_43_is_an_echo() {
    let office = two_tenants().await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "*43", &media.port());
    call.status(200).await;
    office.prompt("demo-echotest").await;
    until("the prompt is heard", || media.heard() > 20).await;
    assert!(!media.hears_the_voice());
    until("the caller hears himself", || media.hears_the_voice()).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
}

#[tokio::test]
async fn a_number_that_leads_nowhere_is_told_so_and_404() {
    let office = two_tenants().await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1777", &media.port());
    assert!(call.ended().await, "{:#?}", call.heard());
    let statuses = call.statuses();
    assert!(statuses.ends_with(&[183, 404]), "{statuses:?}");
    assert!(
        office.played().contains("Playing 'ss-noservice."),
        "{}",
        office.played()
    );
    assert!(media.heard() > 20, "{} packets were heard", media.heard());
}

#[tokio::test]
async fn nobody_is_there_and_a_busy_phone_are_told_apart() {
    let office = two_tenants().await;
    let ann = Account::new("1001", ACME);
    let mut call = office.call(&ann, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&480));
    assert!(
        office.played().contains("Playing 'vm-nobodyavail."),
        "{}",
        office.played()
    );
    let _bob = office.phone("busy", "1002", ACME).await;
    let mut call = office.call(&ann, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&486));
}

#[rstest]
#[case::as_the_extension_says(["never", "inbound"], RecordingPolicy::ByExtension, true)]
#[case::as_the_callers_extension_says(["outbound", "never"], RecordingPolicy::ByExtension, true)]
#[case::not_as_neither_says(["inbound", "outbound"], RecordingPolicy::ByExtension, false)]
#[case::as_its_tenant_says(["never", "never"], RecordingPolicy::Always, true)]
#[case::not_as_its_tenant_says(["always", "always"], RecordingPolicy::Never, false)]
#[tokio::test]
async fn a12_a_call_is_heard_by_both_and_kept_where_it_is_to_be(
    #[case] own: [&str; 2],
    #[case] policy: RecordingPolicy,
    #[case] is_kept: bool,
) {
    let extensions = [("1001", "Ann", own[0]), ("1002", "Bob", own[1])];
    let extensions = extensions
        .map(|(number, name, recording)| json!({"number": number, "name": name, "recording": recording}));
    let mut tenant = TestTenant::new(ACME, &extensions);
    tenant.config.recording = policy;
    tenant.config = tenant.config.under(Service::Open);
    let office = Office::open(&[tenant]).await;
    let bobs = Media::start();
    let _bob = office.phone_with("answer", "1002", ACME, &bobs.port()).await;
    let anns = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1002", &anns.port());
    call.status(200).await;
    anns.speak_to(call.media_of_the_other_side());
    until("Bob hears Ann", || bobs.hears_the_voice()).await;
    until("Ann hears Bob", || anns.hears_the_voice()).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    let directory = office
        .bench
        .pbx
        .home()
        .join("spool/monitor/switchyard")
        .join(ACME);
    let kept = || {
        std::fs::read_dir(&directory).map(|entries| entries.map(|e| e.unwrap().path()).collect::<Vec<_>>())
    };
    if is_kept {
        until("the recording is there", || {
            kept().is_ok_and(|files| files.len() == 1 && has_sound(&files[0]))
        })
        .await;
    } else {
        assert!(kept().map_or(true, |files| files.is_empty()));
    }
}

/// What a display name in quotes says (RFC 3261, quoted-string).
fn unquoted(from: &str) -> String {
    let mut name = String::new();
    let mut rest = from.strip_prefix('"').unwrap().chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => name.extend(rest.next()),
            c => name.push(c),
        }
    }
    name
}

#[tokio::test]
async fn a_callers_name_arrives_on_the_other_phone_as_it_was_written() {
    let names = [
        "\"".repeat(64),
        "\\".repeat(64),
        "é".repeat(39),
        "Zoë \"The Doc\" O'Hara; #exec ${EXTEN} $[1+1] ] \\".to_owned(),
        "<5> => ;-- [evil] <sip:x@y>".to_owned(),
    ];
    let mut extensions = vec![plain("1001", "Bob")];
    for (index, name) in names.iter().enumerate() {
        extensions.push(plain(&(2000 + index).to_string(), name));
    }
    let office = Office::open(&[TestTenant::new(ACME, &extensions)]).await;
    let bob = office.phone("answer", "1001", ACME).await;
    for (index, name) in names.iter().enumerate() {
        let number = (2000 + index).to_string();
        let mut call = office.call(&Account::new(&number, ACME), "1001", "9");
        call.status(200).await;
        office.hang_up_all();
        assert!(call.ended().await, "{:#?}", call.heard());
        let heard = bob.heard();
        let invite = heard.iter().rfind(|message| message.is("INVITE")).unwrap();
        let from = invite.header("From").unwrap();
        assert_eq!(unquoted(from), *name, "{from}");
        assert!(from.contains(&format!("\" <sip:{number}@{ACME}>")), "{from}");
    }
}
