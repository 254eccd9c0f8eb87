//! What is asked, as FreeSWITCH reads it, and what it answered when it was recorded.

use super::answers::knowing;
use super::peer::{LONG, word};
use crate::wire::esl::recorded::{CHANNELS_FROM_OUTSIDE, CHANNELS_WITHIN, LEG, printed};
use crate::wire::esl::{AnswerError, Attribute, Error, Sessions, Whose};

#[tokio::test]
async fn users_are_looked_up() {
    let (_stage, client) = knowing(&[
        ("user_exists id 9999 demo.local", &printed("05-errors", 2)),
        ("user_exists id 1001 demo.local", &printed("05-errors", 3)),
        (
            "user_data 1001@demo.local var domain_name",
            &printed("05-errors", 4),
        ),
        (
            "user_data 9999@demo.local param a1-hash",
            &printed("05-errors", 5),
        ),
        ("user_data 1001@demo.local attr id", "1001"),
    ])
    .await;
    let domain = word("demo.local");
    assert!(!client.user_exists(&word("9999"), &domain, LONG).await.unwrap());
    assert!(client.user_exists(&word("1001"), &domain, LONG).await.unwrap());
    for (user, kind, name, value) in [
        ("1001", Attribute::Var, "domain_name", Some("demo.local")),
        ("9999", Attribute::Param, "a1-hash", None),
        ("1001", Attribute::Attr, "id", Some("1001")),
    ] {
        let found = client
            .user_data(&word(user), &domain, kind, &word(name), LONG)
            .await;
        assert_eq!(found.unwrap().as_deref(), value, "{user} {name}");
    }
}

#[tokio::test]
async fn a_file_is_there_or_not_and_its_name_stays_on_its_line() {
    let (_stage, client) = knowing(&[
        ("file_exists /sounds/ivr/told.wav", "true"),
        ("file_exists /sounds/ivr/gone.wav", "false"),
        ("file_exists /sounds/odd", "maybe"),
    ])
    .await;
    for (path, is_there) in [("/sounds/ivr/told.wav", true), ("/sounds/ivr/gone.wav", false)] {
        assert_eq!(client.file_exists(path, LONG).await.unwrap(), is_there, "{path}");
    }
    let unclear = client.file_exists("/sounds/odd", LONG).await.unwrap_err();
    assert!(matches!(unclear, Error::Answer { .. }), "{unclear:?}");
    let two = client.file_exists("/sounds\n\nexit", LONG).await.unwrap_err();
    assert!(matches!(two, Error::Unsent { .. }), "{two:?}");
}

#[tokio::test]
async fn the_cache_is_told_to_forget_and_says_whether_it_did() {
    let program = |key: &str| {
        format!(
            "lua ~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"{key}\")))"
        )
    };
    let (_stage, client) = knowing(&[
        (&program("directory:1001@demo.local"), &printed("09-lua", 0)),
        (&program("vm:directory:1001@demo.local"), &printed("09-lua", 1)),
        (&program("dialplan:demo.local"), "nil"),
        ("hostname", &printed("09-lua", 2)),
    ])
    .await;
    assert_eq!(client.hostname(LONG).await.unwrap(), word("vm"));
    client
        .delete_cached(&word("directory:1001@demo.local"), LONG)
        .await
        .unwrap();
    let refused = client
        .delete_cached(&word("vm:directory:1001@demo.local"), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { action, message } if action == "api lua" && message == "-ERR Cannot execute script"),
        "{refused:?}"
    );
    let unclear = client
        .delete_cached(&word("dialplan:demo.local"), LONG)
        .await
        .unwrap_err();
    let reason = AnswerError::Form {
        expected: "true",
        got: "nil".to_owned(),
    };
    assert!(
        matches!(&unclear, Error::Answer { reason: r, .. } if *r == reason),
        "{unclear:?}"
    );
}

#[tokio::test]
async fn channels_are_read_with_rows_and_without() {
    for (recorded, expected) in [
        (printed("04-show", 0).as_str(), vec![]),
        (printed("04-show", 3).as_str(), vec![]),
        (
            CHANNELS_WITHIN,
            vec![
                (
                    "inbound",
                    "sofia/internal/1001@demo.local",
                    "demo.local",
                    "1001@demo.local",
                ),
                (
                    "outbound",
                    "sofia/internal/1002@127.0.0.1:5098",
                    "demo.local",
                    "1002@demo.local",
                ),
            ],
        ),
        (
            CHANNELS_FROM_OUTSIDE,
            vec![
                (
                    "inbound",
                    "sofia/external/5559876@carrier.example",
                    "demo.local",
                    "5559876@carrier.example",
                ),
                (
                    "outbound",
                    "sofia/internal/1002@127.0.0.1:5098",
                    "demo.local",
                    "1002@demo.local",
                ),
            ],
        ),
        (
            printed("14-events", 0).as_str(),
            vec![
                (
                    "inbound",
                    "sofia/internal/1001@demo.local",
                    "demo.local",
                    "1001@demo.local",
                ),
                (
                    "outbound",
                    "sofia/internal/1002@127.0.0.1:5098",
                    "demo.local",
                    "1002@demo.local",
                ),
            ],
        ),
    ] {
        let (_stage, client) = knowing(&[("show channels as json", recorded)]).await;
        let channels = client.channels(LONG).await.unwrap();
        let read: Vec<_> = channels
            .iter()
            .map(|c| {
                (
                    c.direction.as_str(),
                    c.name.as_str(),
                    c.context.as_str(),
                    c.presence_id.as_str(),
                )
            })
            .collect();
        assert_eq!(read, expected);
        assert!(
            channels
                .iter()
                .all(|c| c.callstate == "ACTIVE" && c.call_uuid == channels[0].uuid)
        );
    }
}

#[tokio::test]
async fn a_leg_is_shown_with_its_variables_or_is_not_there() {
    let (_stage, client) = knowing(&[
        ("uuid_dump 7cf316bd-e66b-4121-b063-0b7d618b92c7", LEG),
        (
            "uuid_dump 00000000-0000-0000-0000-000000000000",
            &printed("05-errors", 1),
        ),
    ])
    .await;
    let leg = client
        .channel(&word("7cf316bd-e66b-4121-b063-0b7d618b92c7"), LONG)
        .await;
    let leg = leg.unwrap().unwrap();
    assert_eq!(leg.name(), Some("CHANNEL_DATA"));
    assert_eq!(
        leg.get("variable_domain_uuid"),
        Some("04c4c8d2-6bbd-4acd-8fae-eac7feed5660")
    );
    assert_eq!(leg.get("variable_sip_from_uri"), Some("1001@demo.local"));
    assert!(
        leg.get("variable_switch_r_sdp")
            .unwrap()
            .starts_with("v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\n")
    );
    let none = client
        .channel(&word("00000000-0000-0000-0000-000000000000"), LONG)
        .await;
    assert_eq!(none.unwrap(), None);
}

#[tokio::test]
async fn registrations_are_read_from_the_table_and_from_the_profile() {
    let (_stage, client) = knowing(&[
        ("show registrations as json", &printed("11-registrations", 0)),
        (
            "sofia xmlstatus profile internal reg",
            &printed("11-registrations", 1),
        ),
        (
            "sofia xmlstatus profile external reg",
            &printed("11-registrations", 2),
        ),
        ("sofia_contact */1001@demo.local", &printed("05-errors", 7)),
        ("sofia_contact */1003@demo.local", &printed("05-errors", 8)),
        ("sofia_contact */1004@demo.local", "error/other"),
    ])
    .await;
    let rows = client.registrations(LONG).await.unwrap();
    let users: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.reg_user.as_str(),
                row.realm.as_str(),
                row.network_port.as_str(),
            )
        })
        .collect();
    assert_eq!(
        users,
        [("1001", "demo.local", "5099"), ("1002", "demo.local", "5098")]
    );

    let contacts = client.contacts(&word("internal"), LONG).await.unwrap();
    let users: Vec<_> = contacts
        .iter()
        .map(|c| (c.user.as_str(), c.contact.as_str(), c.agent.as_str()))
        .collect();
    assert_eq!(
        users,
        [
            (
                "1001@demo.local",
                "\"\" <sip:1001@127.0.0.1:5099;transport=UDP>",
                "sipp-rig"
            ),
            (
                "1002@demo.local",
                "\"\" <sip:1002@127.0.0.1:5098;transport=UDP>",
                "sipp-rig"
            ),
        ]
    );
    let text = client.contacts(&word("external"), LONG).await.unwrap_err();
    assert!(
        matches!(text, Error::Answer { .. }),
        "the profile's text is no list: {text:?}"
    );

    let domain = word("demo.local");
    let dialled = client.dial_string(&word("1001"), &domain, LONG).await.unwrap();
    assert_eq!(
        dialled.as_deref(),
        Some("sofia/internal/sip:1001@127.0.0.1:5099;transport=UDP")
    );
    assert_eq!(
        client.dial_string(&word("1003"), &domain, LONG).await.unwrap(),
        None
    );
    assert!(client.dial_string(&word("1004"), &domain, LONG).await.is_err());
}

#[tokio::test]
async fn phones_are_signed_out_and_calls_ended_of_one_user_or_domain_only() {
    let (_stage, client) = knowing(&[
        (
            "sofia profile internal flush_inbound_reg 1001@demo.local",
            &printed("14-events", 1),
        ),
        (
            "sofia profile internal flush_inbound_reg @demo.local",
            &printed("14-events", 1),
        ),
        (
            "hupall MANAGER_REQUEST domain_name demo.local",
            &printed("07-event-plain", 1),
        ),
    ])
    .await;
    let (user, domain) = (word("1001"), word("demo.local"));
    let whose = Whose::User {
        user,
        domain: domain.clone(),
    };
    client
        .flush_registrations(&word("internal"), &whose, LONG)
        .await
        .unwrap();
    client
        .flush_registrations(&word("internal"), &Whose::Domain(domain.clone()), LONG)
        .await
        .unwrap();
    client.hang_up_domain(&domain, LONG).await.unwrap();
    let other = client
        .flush_registrations(&word("other"), &whose, LONG)
        .await
        .unwrap_err();
    assert!(matches!(other, Error::Refused { .. }), "{other:?}");
}

#[tokio::test]
async fn freeswitch_says_what_it_is_and_reads_its_xml_again() {
    let (_stage, client) = knowing(&[
        ("version", &printed("01-auth-ok", 1)),
        (
            "json {\"command\":\"status\",\"data\":\"\"}",
            &printed("12-json-api", 0),
        ),
        ("reloadxml", &printed("05-errors", 6)),
        ("status", &printed("01-auth-ok", 0)),
    ])
    .await;
    assert_eq!(client.version(LONG).await.unwrap(), "1.11.3-dev~64bit");
    let status = client.status(LONG).await.unwrap();
    assert!(status.ready);
    assert_eq!(status.version, "1.11.3-dev  64bit");
    assert_eq!(
        status.sessions,
        Sessions {
            active: 0,
            peak: 4,
            total: 15,
            limit: 1000
        }
    );
    client.reload_xml(LONG).await.unwrap();
    assert!(
        client
            .api("status", LONG)
            .await
            .unwrap()
            .starts_with("UP 0 years")
    );
}
