//! What a deploy writes and what FreeSWITCH makes of it.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::freeswitch::{Admitted, Refused};
use super::plain_freeswitch::OPERATOR;
use super::rig::Rig;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a_first_deploy_lets_phones_in_by_their_hash_with_one_reload_and_leaves_the_operators_own_alone(
    #[case] backend: Backend,
) {
    let rig = Rig::new(backend).await;
    let (acme, [ann, bob], globex, gina) = rig.acme_and_globex().await;
    assert_eq!(rig.register(&acme, &ann).await, Err(Refused::Unknown));
    rig.deploy_platform().await.expect(Live);
    assert_eq!(rig.reloads(), 1);
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        assert_eq!(rig.register(tenant, phone).await, Ok(Admitted::Hash));
    }
    let freeswitch = &rig.plain.freeswitch;
    for wrong in ["", gina.secret()] {
        let refused = freeswitch.register("internal", "1001", &acme.domain, wrong).await;
        assert_eq!(refused, Err(Refused::WrongPassword));
    }
    let theirs = freeswitch
        .register("internal", "1001", OPERATOR, "throwaway1")
        .await;
    assert_eq!(theirs, Ok(Admitted::Password));
    for (context, extension) in [("default", "own"), (acme.domain.as_str(), "switchyard-extension")] {
        let found = freeswitch.context(context, "1001").await.unwrap();
        assert!(
            found.text().contains(&format!("name=\"{extension}\"")),
            "{}",
            found.text()
        );
    }
    assert!(rig.look().await.ok);
    assert_eq!(rig.standing().await, rig.world.live().await);
}

#[tokio::test]
async fn no_secret_of_a_phone_is_in_a_file_and_nobody_else_may_read_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    for section in ["directory", "dialplan"] {
        let path = rig.plain.live_file(section);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&acme.domain) && !text.contains(ann.secret()));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{mode:o}");
    }
}

#[tokio::test]
async fn a_second_deploy_of_the_same_writes_nothing_and_reads_nothing() {
    let (rig, ..) = Rig::live(Sqlite).await;
    let before = rig.standing().await;
    rig.deploy_platform().await.expect(Unchanged);
    assert_eq!((rig.standing().await, rig.reloads()), (before, 0));
}

#[tokio::test]
async fn a_changed_name_is_served_with_one_reload_and_only_that_user_is_asked_for() {
    let (rig, acme, [ann, _], globex, _) = Rig::live(Sqlite).await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    assert_eq!(rig.reloads(), 1);
    let journal = rig.plain.freeswitch.journal();
    assert!(!journal.with("user_data 1001@acme").is_empty());
    assert_eq!(
        journal.with("user_data 1002@acme").len() + journal.with("@globex").len(),
        0
    );
}

/// Each of these would end an element, name a variable, or have FreeSWITCH drop its line.
#[rstest]
#[case("Zoë \"<&>' O'Hara", "Zoë O Hara")]
#[case("$${domain} ${x} `id`", "domain x id")]
#[case("X-PRE-PROCESS cmd", "X-PRE-PROCESS cmd")]
#[case("</user> <include>", "/user include")]
#[case("&#36;&amp; ]]> -->", "36 amp --")]
#[tokio::test]
async fn a_hostile_name_is_a_name_and_nothing_more(#[case] name: &str, #[case] shown: &str) {
    let rig = Rig::new(Sqlite).await;
    let acme = rig.tenant("acme").await;
    let zoe = rig.extension(&acme, "1001", name).await;
    let bob = rig.extension(&acme, "1002", "Bob").await;
    rig.deploy_platform().await.expect(Live);
    for phone in [&zoe, &bob] {
        assert_eq!(rig.register(&acme, phone).await, Ok(Admitted::Hash));
    }
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some(shown));
}

#[tokio::test]
async fn what_an_extension_is_stands_in_its_user() {
    let rig = Rig::new(Sqlite).await;
    let acme = rig.tenant("acme").await;
    let ann = rig.extension(&acme, "1001", "Ann").await;
    let settings = json!({
        "forward": {"busy": "1002", "no_answer": "+49301234567"}, "ring_time": 15, "recording": "inbound",
        "max_contacts": 2, "codecs": ["opus", "alaw"], "outbound_class": "national",
        "voicemail": {"enabled": true, "email": "ann@acme.example.com"}
    });
    rig.patch(&acme, &ann, settings).await;
    let bob = rig.extension(&acme, "1002", "Bob").await;
    // It would be an option of the program that sends mails.
    let option = json!({"voicemail": {"enabled": true, "email": "-d/x@acme.example.com"}});
    rig.patch(&acme, &bob, option).await;
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"email_not_served"), "{ended:#?}");
    let unmailed = rig.plain.freeswitch.user("1002", &acme.domain).await.unwrap();
    assert_eq!(unmailed.param("vm-mailto"), None);
    let user = rig.plain.freeswitch.user("1001", &acme.domain).await.unwrap();
    for (variable, value) in [
        ("user_context", "acme.example.com"),
        ("call_timeout", "15"),
        ("absolute_codec_string", "OPUS,PCMA"),
        ("toll_allow", "local,domestic"),
        ("switchyard_forward_always", ""),
        ("switchyard_forward_busy", "1002"),
        ("switchyard_forward_no_answer", "+49301234567"),
        ("switchyard_record_inbound", "true"),
        ("switchyard_record_outbound", "false"),
        ("switchyard_mailbox", "true"),
    ] {
        assert_eq!(user.shown("var", variable), Some(value), "{variable}");
    }
    for (param, value) in [
        ("vm-password", "246813"),
        ("vm-mailto", "ann@acme.example.com"),
        ("max-registrations-per-extension", "2"),
    ] {
        assert_eq!(user.param(param), Some(value), "{param}");
    }
    assert_eq!(user.param("password"), None);
}
