//! Users as FusionPBX's handler makes them of rows, asked over the event socket.

use rstest::rstest;
use switchyard::wire::esl::Attribute;

use crate::fusionpbx::{Booleans, ExtensionRow, OPERATOR};
use crate::rig::{DOMAIN, Demo, LONG, word};

#[rstest]
#[case::native(Booleans::Native)]
#[case::text(Booleans::Text)]
#[tokio::test]
async fn a_row_becomes_a_user_with_params_and_variables(#[case] booleans: Booleans) {
    let mut demo = Demo::start(booleans).await;
    let client = demo.freeswitch.client().await;
    let domain = word(OPERATOR);
    for (user, kind, name, value) in [
        ("1001", Attribute::Attr, "id", Some("1001")),
        ("1001", Attribute::Param, "password", Some("throwaway1")),
        (
            "1001",
            Attribute::Param,
            "vm-mailto",
            Some("desk@operator.example"),
        ),
        (
            "1001",
            Attribute::Var,
            "domain_uuid",
            Some("04c4c8d2-6bbd-4acd-8fae-eac7feed5660"),
        ),
        (
            "1001",
            Attribute::Var,
            "extension_uuid",
            Some("23847e88-68c5-433d-8be9-2f488f4b83c5"),
        ),
        (
            "1001",
            Attribute::Var,
            "user_uuid",
            Some("66f30b73-65f7-4bcd-ae50-bce2cea9debc"),
        ),
        ("1001", Attribute::Var, "user_context", Some(OPERATOR)),
        (
            "1001",
            Attribute::Var,
            "presence_id",
            Some("1001@pbx.operator.example"),
        ),
        ("1001", Attribute::Var, "directory_full_name", Some("Ada O'Neil")),
        ("1001", Attribute::Var, "directory-visible", Some("true")),
        ("1001", Attribute::Var, "call_timeout", Some("30")),
        ("1001", Attribute::Var, "limit_max", Some("5")),
        // A setting of the extension; the other one is disabled.
        ("1001", Attribute::Var, "office", Some("front")),
        ("1001", Attribute::Param, "sip-forbid-register", None),
        // Found under its alias as well, which is what it calls from.
        ("5550102", Attribute::Attr, "id", Some("1002")),
        ("5550102", Attribute::Var, "caller_id_number", Some("5550102")),
        ("1002", Attribute::Var, "user_uuid", None),
        ("1002", Attribute::Param, "vm-mailto", None),
        // Disabled, unknown.
        ("1003", Attribute::Attr, "id", None),
        ("4711", Attribute::Attr, "id", None),
    ] {
        let found = client
            .user_data(&word(user), &domain, kind, &word(name), LONG)
            .await
            .unwrap();
        assert_eq!(found.as_deref(), value, "{user} {name}");
    }
    for (user, domain, exists) in [
        ("1001", OPERATOR, true),
        ("2001", "old.operator.example", false),
        ("3001", OPERATOR, false),
        ("1001", "PBX.operator.example", false),
        ("1001", DOMAIN, true),
    ] {
        let found = client
            .user_exists(&word(user), &word(domain), LONG)
            .await
            .unwrap();
        assert_eq!(found, exists, "{user}@{domain}");
    }
}

#[rstest]
#[case::native(Booleans::Native, None, "t", "f", None)]
#[case::text(Booleans::Text, Some("false"), "true", "false", Some("true"))]
#[tokio::test]
async fn a_false_is_shown_or_not_by_the_version(
    #[case] booleans: Booleans,
    #[case] shown: Option<&str>,
    #[case] on: &str,
    #[case] off: &str,
    #[case] unsaid: Option<&str>,
) {
    let mut demo = Demo::start(booleans).await;
    let client = demo.freeswitch.client().await;
    let domain = word(OPERATOR);
    let name = word("directory-exten-visible");
    let found = client
        .user_data(&word("1002"), &domain, Attribute::Var, &name, LONG)
        .await
        .unwrap();
    assert_eq!(found.as_deref(), shown);
    // The box of 1002 is not found: it has an alias, under which there is none. So it counts as enabled.
    for (user, enabled) in [("1001", on), ("1002", "true")] {
        let name = word("vm-enabled");
        let found = client
            .user_data(&word(user), &domain, Attribute::Param, &name, LONG)
            .await
            .unwrap();
        assert_eq!(found.as_deref(), Some(enabled), "{user}");
    }
    demo.fusionpbx
        .run("update v_voicemails set voicemail_id = '5550102' where voicemail_id = '1002'")
        .await;
    let name = word("vm-enabled");
    client
        .delete_cached(&word(&demo.freeswitch.user_key("1002", OPERATOR)), LONG)
        .await
        .unwrap();
    let found = client
        .user_data(&word("1002"), &domain, Attribute::Param, &name, LONG)
        .await
        .unwrap();
    assert_eq!(found.as_deref(), Some(off));
    // The box of 1001 does not say whether mails have the message with them.
    let name = word("vm-attach-file");
    let found = client
        .user_data(&word("1001"), &domain, Attribute::Param, &name, LONG)
        .await
        .unwrap();
    assert_eq!(found.as_deref(), unsaid);
}

#[tokio::test]
async fn settings_of_an_extension_count_whatever_their_domain_and_the_last_param_wins() {
    let demo = Demo::start(Booleans::Native).await;
    let uuid = &demo.extensions[0];
    let insert = "insert into v_extension_settings (extension_setting_uuid, extension_uuid, extension_setting_type, \
                  extension_setting_name, extension_setting_value, extension_setting_enabled) values";
    demo.fusionpbx
        .run(&format!(
            "{insert} ('a0000000-0000-4000-8000-000000000001', '{uuid}', 'param', 'a1-hash', 'abc', 'true'), \
             ('a0000000-0000-4000-8000-000000000002', '{uuid}', 'param', 'password', '', 'true'), \
             ('a0000000-0000-4000-8000-000000000003', '{uuid}', 'other', 'lost', 'x', 'true'), \
             ('a0000000-0000-4000-8000-000000000004', '{uuid}', 'variable', 'say', 'a $ and \"b\"', 'true')"
        ))
        .await;
    let user = demo.freeswitch.user("1001", DOMAIN).await.unwrap();
    assert_eq!(user.param("a1-hash"), Some("abc"));
    // Settings stand behind what the row says.
    assert_eq!(user.param("password"), Some(""));
    assert_eq!((user.param("lost"), user.shown("var", "lost")), (None, None));
    assert_eq!(user.shown("var", "say"), Some("a  and \"b\""));
}

#[tokio::test]
async fn an_ampersand_stays_as_it_is_and_an_entity_is_read() {
    let demo = Demo::start(Booleans::Native).await;
    for (written, read) in [
        ("Tom & Jerry", "Tom & Jerry"),
        ("A&amp;B", "A&B"),
        ("<b>'\"", "<b>'\""),
    ] {
        demo.rename(&written.replace('\'', "''")).await;
        demo.freeswitch.forget("1001", DOMAIN);
        assert_eq!(demo.name_of("1001").await.as_deref(), Some(read));
    }
}

#[tokio::test]
async fn a_quotation_mark_cuts_a_password_short_for_it_is_not_escaped() {
    let demo = Demo::start(Booleans::Native).await;
    let row = ExtensionRow {
        domain_uuid: &demo.domain_uuid,
        domain: DOMAIN,
        number: "1003",
        number_alias: None,
        password: Some("a\"<b"),
        name: "Quotes",
    };
    demo.fusionpbx.add_extension(&row).await;
    let user = demo.freeswitch.user("1003", DOMAIN).await.unwrap();
    assert_eq!(user.param("password"), Some("a"));
}

#[tokio::test]
async fn call_groups_are_served_by_the_old_version_only_and_keep_who_is_disabled() {
    let demo = Demo::start(Booleans::Text).await;
    let mut groups = demo.freeswitch.groups(OPERATOR).await;
    groups.sort();
    let member = |group: &str, extension: &str| (group.to_owned(), extension.to_owned());
    let expected = [
        member("sales", "1001"),
        member("support", "1001"),
        member("support", "1002"),
        member("support", "1003"),
    ];
    assert_eq!(groups, expected);
    assert!(
        demo.freeswitch
            .cache()
            .holds("directory:groups:pbx.operator.example")
    );

    let demo = Demo::start(Booleans::Native).await;
    assert_eq!(demo.freeswitch.groups(OPERATOR).await, []);
    assert!(
        !demo
            .freeswitch
            .cache()
            .holds("directory:groups:pbx.operator.example")
    );
}
