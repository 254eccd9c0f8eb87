//! Inviting from the host: into a tenant or to manage the platform, with and without a mail server.

use serde_json::Value;

use super::host::{ACME, Host};

#[test]
fn a24_an_invitation_shows_its_link_once_where_no_mail_goes_out() {
    let host = Host::with_tenant();
    let ann = ["admin", "invite", "--email", "ann@example.com", "--name", "Ann"];
    let owner = [&ann[..], &["--tenant", ACME, "--role", "owner"]].concat();
    let invited = host.json(&owner);
    assert_eq!(
        (&invited["status"], &invited["role"]),
        (&"invited".into(), &"owner".into())
    );
    assert_eq!(invited["invitation"]["mailed"], false);
    let link = invited["invitation"]["link"].as_str().unwrap();
    let (_, token) = link.split_once("/invitation#token=").unwrap();
    assert_eq!(token.len(), 43);
    // Nobody finds it again.
    let log = host.run(&["audit", "export"]).out;
    assert!(log.contains("user.create") && !log.contains(token));
    let again = host.refused(5, &owner);
    assert!(again.contains("email"), "{again}");
}

#[test]
fn o02_without_a_tenant_somebody_is_invited_to_manage_the_platform() {
    let host = Host::ready();
    let words = ["admin", "invite", "--email", "bob@example.com", "--name", "Bob"];
    let shown = host.ok(&words);
    assert!(
        shown.contains("bob@example.com is invited to manage the platform"),
        "{shown}"
    );
    assert!(shown.contains("/invitation#token="), "{shown}");
    let carol = [
        "admin",
        "invite",
        "--email",
        "carol@example.com",
        "--name",
        "Carol",
    ];
    let role = [&carol[..], &["--role", "owner"]].concat();
    let refused = host.refused(2, &role);
    assert!(refused.contains("--tenant"), "{refused}");
    let nowhere = [&carol[..], &["--tenant", "nobody.example.com"]].concat();
    assert!(host.refused(3, &nowhere).contains("switchyard tenant list"));
}

#[test]
fn o28_with_a_mail_server_the_link_waits_for_it_and_is_shown_to_nobody() {
    let mut host = Host::with_tenant();
    host.set("SWITCHYARD_HTTP_PUBLIC_URL", "https://pbx.example.com");
    for (name, value) in [
        ("HOST", "127.0.0.1"),
        ("PORT", "1"),
        ("TLS", "none"),
        ("FROM", "pbx@example.com"),
    ] {
        host.set(&format!("SWITCHYARD_MAIL_{name}"), value);
    }
    let words = [
        "admin",
        "invite",
        "--email",
        "ann@example.com",
        "--name",
        "Ann",
        "--tenant",
        ACME,
    ];
    let invited: Value = host.json(&words);
    assert_eq!(invited["invitation"]["mailed"], true);
    assert!(invited["invitation"]["link"].is_null() && invited["role"] == "agent");
}
