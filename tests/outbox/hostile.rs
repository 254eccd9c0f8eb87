//! Names that would be headers, markup or commands if they could.

use rstest::rstest;
use secrecy::{ExposeSecret as _, SecretString};
use switchyard::outbox::worker::Rest;
use switchyard::store::outbox;

use super::support::database::Backend::Sqlite;
use super::support::smtp::Accepted;
use super::world::{ADDRESS, World};

const NAMES: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "Ann\" <all@example.org>, \"Bob",
    "=?utf-8?q?Ann=0d=0aBcc:_all@example.org?=",
    "{{ link }}{% raw %}",
    "Ann, Bob; Carol: (x) \\ [y]",
    ".",
    "Zoë 电话 \u{1F4DE} Ω",
];

/// One mail to one address, with the name as it is.
fn assert_is_data(mail: &Accepted, name: &str) {
    // It would begin something that readers decode.
    let in_header = name.replace("=?", "= ?");
    assert_eq!(mail.to, [ADDRESS], "{name}");
    assert_eq!(
        mail.header("Subject").unwrap(),
        format!("You are invited to {in_header}"),
        "{name}"
    );
    assert_eq!(mail.header("Bcc"), None, "{name}");
    let parsed = mailparse::parse_mail(mail.content.as_bytes()).unwrap();
    let to = parsed
        .headers
        .iter()
        .find(|header| header.get_key() == "To")
        .unwrap();
    let to = mailparse::addrparse_header(to)
        .unwrap()
        .extract_single_info()
        .unwrap();
    assert_eq!(
        (to.display_name.as_deref(), to.addr.as_str()),
        (Some(in_header.as_str()), ADDRESS)
    );
    let parts = mail.parts();
    assert!(
        parts[0].1.contains(&format!("the telephone system of {name}.")),
        "{}",
        parts[0].1
    );
    let html = &parts[1].1;
    for markup in ["<script", "<img", "\"><"] {
        assert!(!html.replace("\">Accept", "").contains(markup), "{html}");
    }
}

#[tokio::test]
async fn a_hostile_name_is_data_in_headers_text_and_html() {
    let world = World::new(Sqlite).await;
    for name in NAMES {
        world.post(&world.invitation_to(name, name)).await;
    }
    assert_eq!(world.work_off().await, Rest::NothingDue);
    world.server.assert_correct();
    let accepted = world.server.accepted();
    assert_eq!(accepted.len(), NAMES.len());
    for (mail, name) in accepted.iter().zip(NAMES) {
        assert_is_data(mail, name);
    }
}

/// No type holds such a name; this is what a row would hold that somebody with the key has written.
#[rstest]
#[case("Acme\\r\\nBcc: all@example.org")]
#[case("Acme\\nX-Evil: 1\\n\\n<script>")]
#[case("Acme\\u0000")]
#[tokio::test]
async fn a_line_break_in_a_stored_name_is_not_sent(#[case] name: &str) {
    let world = World::new(Sqlite).await;
    let payload = world.invitation_to("Ann", "PLACE").to_payload().unwrap();
    let altered = payload.expose_secret().replace("PLACE", name);
    let (message, subject) = world.message_of(SecretString::from(altered));
    let mut tx = world.begin().await;
    outbox::push(&mut tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    let good = world.post(&world.invitation()).await;

    assert_eq!(world.work_off().await, Rest::NothingDue);
    let error = world.standing(&subject).await.unwrap().last_error.unwrap();
    assert!(error.contains("does not know such a mail"), "{error}");
    assert!(
        world.standing(&good).await.unwrap().sent_at.is_some(),
        "it keeps no other waiting"
    );
    assert_eq!(world.server.accepted().len(), 1);
}

/// A dot alone on a line would end the mail.
#[tokio::test]
async fn a_line_of_one_dot_is_part_of_the_mail() {
    let world = World::new(Sqlite).await;
    world.post(&world.invitation_to(".", "...")).await;
    assert_eq!(world.work_off().await, Rest::NothingDue);
    world.server.assert_correct();
    let accepted = world.server.accepted();
    assert!(accepted[0].parts()[0].1.contains("Hello .,"));
    assert!(
        accepted[0].parts()[0].1.ends_with("you need not do anything.\n")
            || accepted[0].parts()[0]
                .1
                .ends_with("you need not do anything.\r\n")
    );
}
