//! Phones that sign in, and how they are signed out.

use switchyard::wire::esl::{Client, Error, Whose};

use crate::freeswitch::{Admitted, FreeSwitch, Refused};
use crate::fusionpbx::{Booleans, ExtensionRow};
use crate::rig::{DOMAIN, Demo, LONG, word};

/// md5 of `1001:demo.local:secret`.
const HASH: &str = "ca5abb1c369d27f10773ccbce6a6c7f3";

async fn add_hash(demo: &Demo, hash: &str) {
    let uuid = &demo.extensions[0];
    demo.fusionpbx
        .run(&format!(
            "update v_extensions set password = '' where extension_uuid = '{uuid}'; \
             insert into v_extension_settings (extension_setting_uuid, domain_uuid, extension_uuid, extension_setting_type, \
             extension_setting_name, extension_setting_value, extension_setting_enabled) values \
             ('a0000000-0000-4000-8000-000000000001', '{}', '{uuid}', 'param', 'a1-hash', '{hash}', 'true')",
            demo.domain_uuid
        ))
        .await;
}

#[tokio::test]
async fn a_phone_is_let_in_by_password_or_hash_and_by_nothing_else() {
    let demo = Demo::start(Booleans::Native).await;
    let freeswitch = &demo.freeswitch;
    for (profile, user, password, expected) in [
        ("internal", "1001", "throwaway", Ok(Admitted::Password)),
        ("internal", "1001", "wrong", Err(Refused::WrongPassword)),
        ("internal", "1001", "", Err(Refused::WrongPassword)),
        ("internal", "4711", "throwaway", Err(Refused::Unknown)),
        ("nowhere", "1001", "throwaway", Err(Refused::NoProfile)),
    ] {
        let got = freeswitch.register(profile, user, DOMAIN, password).await;
        assert_eq!(got, expected, "{profile} {user} {password:?}");
    }
    add_hash(&demo, HASH).await;
    freeswitch.forget("1001", DOMAIN);
    for (password, expected) in [
        ("secret", Ok(Admitted::Hash)),
        ("throwaway", Err(Refused::WrongPassword)),
        ("", Err(Refused::WrongPassword)),
        (HASH, Err(Refused::WrongPassword)),
    ] {
        assert_eq!(
            freeswitch.register("external", "1001", DOMAIN, password).await,
            expected,
            "{password:?}"
        );
    }
    assert_eq!(freeswitch.phones().len(), 2);
}

#[tokio::test]
async fn an_extension_without_password_and_hash_lets_everybody_in() {
    let demo = Demo::start(Booleans::Text).await;
    for (number, password) in [("1003", None), ("1004", Some(""))] {
        let row = ExtensionRow {
            domain_uuid: &demo.domain_uuid,
            domain: DOMAIN,
            number,
            number_alias: None,
            password,
            name: "Open",
        };
        demo.fusionpbx.add_extension(&row).await;
        let got = demo
            .freeswitch
            .register("internal", number, DOMAIN, "whatever")
            .await;
        assert_eq!(got, Ok(Admitted::Anyone), "{number}");
    }
}

#[tokio::test]
async fn a_disabled_extension_signs_in_until_its_key_is_deleted() {
    let demo = Demo::start(Booleans::Native).await;
    let freeswitch = &demo.freeswitch;
    freeswitch
        .register("internal", "1001", DOMAIN, "throwaway")
        .await
        .unwrap();
    demo.fusionpbx
        .run("update v_extensions set enabled = 'false' where extension = '1001'")
        .await;
    freeswitch
        .register("internal", "1001", DOMAIN, "throwaway")
        .await
        .unwrap();
    freeswitch.forget("1001", DOMAIN);
    let got = freeswitch.register("internal", "1001", DOMAIN, "throwaway").await;
    assert_eq!(got, Err(Refused::Unknown));
    assert_eq!(freeswitch.phones().len(), 2, "those that are in stay in");
}

#[tokio::test]
async fn no_more_phones_sign_in_than_the_extension_may_have() {
    let demo = Demo::start(Booleans::Native).await;
    demo.fusionpbx
        .run("update v_extensions set max_registrations = '1' where extension = '1001'")
        .await;
    let sign_in = || demo.freeswitch.register("internal", "1001", DOMAIN, "throwaway");
    assert_eq!(sign_in().await, Ok(Admitted::Password));
    assert_eq!(sign_in().await, Err(Refused::TooMany));
}

/// 1001 at both profiles, 1002 of the domain, and 1001 of the operator's.
async fn signed_in() -> (Demo, Client) {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    for (profile, user, domain, password) in [
        ("internal", "1001", DOMAIN, "throwaway"),
        ("external", "1001", DOMAIN, "throwaway"),
        ("internal", "1002", DOMAIN, "throwaway"),
        ("internal", "1001", "pbx.operator.example", "throwaway1"),
    ] {
        demo.freeswitch
            .register(profile, user, domain, password)
            .await
            .unwrap();
    }
    (demo, client)
}

fn who(freeswitch: &FreeSwitch) -> Vec<String> {
    let phones = freeswitch.phones();
    let mut who: Vec<String> = phones
        .iter()
        .map(|p| format!("{} {}@{}", p.profile, p.user, p.domain))
        .collect();
    who.sort();
    who
}

#[tokio::test]
async fn a_flush_is_of_one_profile_and_of_one_user_or_domain() {
    let (demo, client) = signed_in().await;
    let whose = Whose::User {
        user: word("1001"),
        domain: word(DOMAIN),
    };
    client
        .flush_registrations(&word("internal"), &whose, LONG)
        .await
        .unwrap();
    let left = [
        "external 1001@demo.local",
        "internal 1001@pbx.operator.example",
        "internal 1002@demo.local",
    ];
    assert_eq!(who(&demo.freeswitch), left);
    let domain = Whose::Domain(word(DOMAIN));
    for profile in client.profiles(LONG).await.unwrap() {
        client.flush_registrations(&profile, &domain, LONG).await.unwrap();
    }
    assert_eq!(who(&demo.freeswitch), ["internal 1001@pbx.operator.example"]);
    let error = client
        .flush_registrations(&word("nowhere"), &domain, LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error:?}");
}

#[tokio::test]
async fn the_table_of_phones_is_stale_after_a_flush_and_the_profile_is_not() {
    let (demo, client) = signed_in().await;
    let internal = word("internal");
    client
        .flush_registrations(&internal, &Whose::Domain(word(DOMAIN)), LONG)
        .await
        .unwrap();
    assert_eq!(client.registrations(LONG).await.unwrap().len(), 4);
    let contacts = client.contacts(&internal, LONG).await.unwrap();
    let users: Vec<&str> = contacts.iter().map(|contact| contact.user.as_str()).collect();
    assert_eq!(users, ["1001@pbx.operator.example"]);
    assert_eq!(
        client
            .dial_string(&word("1002"), &word(DOMAIN), LONG)
            .await
            .unwrap(),
        None
    );
    let dialled = client
        .dial_string(&word("1001"), &word(DOMAIN), LONG)
        .await
        .unwrap()
        .unwrap();
    assert!(
        dialled.starts_with("sofia/external/sip:1001@127.0.0.1:"),
        "{dialled}"
    );
    let text = client
        .api("sofia status profile internal reg", LONG)
        .await
        .unwrap();
    assert!(
        text.contains("User:       \t1001@pbx.operator.example\n")
            && text.contains("Total items returned: 1\n")
    );
    demo.freeswitch.settle_registrations();
    assert_eq!(client.registrations(LONG).await.unwrap().len(), 2);
}

#[tokio::test]
async fn profiles_are_listed() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    assert_eq!(
        client.profiles(LONG).await.unwrap(),
        [word("internal"), word("external")]
    );
}
