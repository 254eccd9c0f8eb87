//! A mail server is configured as a whole or not at all.

use super::*;

const WHOLE: &str = "[http]\npublic_url = \"https://pbx.example.com\"\n[mail]\nfrom = \"pbx@example.com\"\n";

fn with(more: &str) -> Result<Loaded, ConfigError> {
    from_text(&format!("{WHOLE}{more}"))
}

#[rstest]
#[case("host = \"mail.example.com\"", 465)]
#[case("host = \"mail.example.com\"\ntls = \"required\"", 465)]
#[case("host = \"mail.example.com\"\ntls = \"starttls\"", 587)]
#[case("host = \"localhost\"\ntls = \"none\"", 25)]
#[case("host = \"::1\"\ntls = \"none\"", 25)]
#[case("host = \"127.0.0.1\"\ntls = \"none\"\nport = 2525", 2525)]
fn the_port_follows_the_way_it_is_kept_from_others(#[case] more: &str, #[case] port: u16) {
    let loaded = with(more).unwrap_or_else(|error| panic!("{error}"));
    let mail = loaded.config.mail.unwrap();
    assert_eq!(mail.server.port, port);
    assert_eq!(mail.give_up_after_days, 3);
    assert!(mail.server.login.is_none());
}

#[test]
fn without_a_host_there_is_no_mail() {
    let loaded =
        from_text("[http]\npublic_url = \"https://pbx.example.com\"").unwrap_or_else(|e| panic!("{e}"));
    assert!(loaded.config.mail.is_none());
}

#[rstest]
#[case::in_clear(
    "host = \"mail.example.com\"\ntls = \"none\"",
    "5: `mail.host` must be `localhost` or a loopback address with `mail.tls = \"none\"`, for what goes to another host in clear everybody on the way can read"
)]
#[case::no_password(
    "host = \"mail.example.com\"\nusername = \"acme\"",
    "6: `mail.username` needs `mail.password`; set that key too"
)]
#[case::no_username(
    "host = \"mail.example.com\"\npassword = \"hunter2\"",
    "6: `mail.password` needs `mail.username`; set that key too"
)]
#[case::port(
    "host = \"mail.example.com\"\nport = 0",
    "6: `mail.port` must be a whole number from 1 to 65535"
)]
#[case::days(
    "host = \"mail.example.com\"\ngive_up_after_days = 31",
    "6: `mail.give_up_after_days` must be a whole number from 1 to 30"
)]
#[case::tls(
    "host = \"mail.example.com\"\ntls = \"opportunistic\"",
    "6: `mail.tls` must be one of: `required` `starttls` `none`"
)]
#[case::no_host("", "4: `mail.from` is without effect until `mail.host` names a mail server")]
fn half_a_mail_server_is_refused(#[case] more: &str, #[case] problem: &str) {
    assert_eq!(problems(with(more)), [problem]);
}

#[test]
fn what_a_host_needs_is_named_at_its_line() {
    let found = problems(from_text("[mail]\nhost = \"mail.example.com\"\nca_file = \"x\""));
    assert_eq!(
        found,
        [
            "3: `mail.ca_file` must be an absolute path",
            "2: `mail.host` needs `mail.from`; set that key too",
            "2: `mail.host` needs `http.public_url`; set that key too",
        ]
    );
}

#[rstest]
#[case("http://pbx.example.com")]
#[case("pbx.example.com")]
fn a_public_url_is_one_that_links_may_begin_with(#[case] url: &str) {
    let found = problems(from_text(&format!("[http]\npublic_url = \"{url}\"")));
    assert!(
        found[0].starts_with("2: `http.public_url` must be `https://` with a host"),
        "{found:?}"
    );
}

#[rstest]
#[case("Acme <pbx@example.com>\\r\\nBcc: x@example.com")]
#[case("Acme\\r\\nBcc: x@example.com <pbx@example.com>")]
#[case("pbx")]
fn a_sender_that_is_no_mailbox_is_refused(#[case] from: &str) {
    let text =
        format!("[http]\npublic_url = \"https://pbx.example.com\"\n[mail]\nhost = \"x\"\nfrom = \"{from}\"");
    let found = problems(from_text(&text));
    assert!(
        found.len() == 1 && found[0].starts_with("5: `mail.from` must "),
        "{found:?}"
    );
}
