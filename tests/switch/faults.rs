//! Faults that are set while it runs, as the client of the event socket sees them.

use std::time::Duration;

use switchyard::wire::esl::{
    Client, CodecError, Command, Error, Format, LinkError, Subscription, UnknownReason, connect,
};

use crate::freeswitch::{Effect, Fault, FreeSwitch, NewCall};
use crate::rig::{DOMAIN, LONG, word};

const SHORT: Duration = Duration::from_millis(300);

async fn with_client() -> (FreeSwitch, Client) {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    (freeswitch, client)
}

async fn hang_up(client: &Client, limit: Duration) -> Result<(), Error> {
    client.hang_up_domain(&word(DOMAIN), limit).await
}

fn broke(result: Result<(), Error>) -> LinkError {
    match result.unwrap_err() {
        Error::Unknown {
            reason: UnknownReason::LinkBroke(reason),
            ..
        } => std::sync::Arc::into_inner(reason).unwrap_or(LinkError::Closed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_connection_closes_before_or_after_what_was_asked_is_done() {
    for (effect, left) in [(Effect::CloseUndone, 1), (Effect::CloseDone, 0)] {
        let (freeswitch, client) = with_client().await;
        freeswitch.faults().add(Fault::at("hupall", effect));
        assert!(matches!(broke(hang_up(&client, LONG).await), LinkError::Closed));
        assert_eq!(freeswitch.calls().len(), left);
    }
}

#[tokio::test]
async fn the_third_command_that_matches_fails_once() {
    let (mut freeswitch, client) = with_client().await;
    freeswitch
        .faults()
        .add(Fault::at("hupall", Effect::CloseUndone).nth(3));
    for _ in 0..2 {
        client.version(LONG).await.unwrap();
        hang_up(&client, LONG).await.unwrap();
    }
    hang_up(&client, LONG).await.unwrap_err();
    let client = freeswitch.client().await;
    hang_up(&client, LONG).await.unwrap();
    let heard = freeswitch.journal().with("hupall");
    let connections: Vec<usize> = heard.iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1]);
    assert!(heard.windows(2).all(|two| two[0].at <= two[1].at));
    freeswitch.journal().clear();
    assert_eq!(freeswitch.journal().all().len(), 0);
}

#[tokio::test]
async fn a_command_hangs_before_or_after_it_is_done() {
    for (effect, left) in [(Effect::HangUndone, 1), (Effect::HangDone, 0)] {
        let (mut freeswitch, client) = with_client().await;
        freeswitch.faults().add(Fault::at("hupall", effect).always());
        let error = hang_up(&client, SHORT).await.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::Unknown {
                    reason: UnknownReason::TimedOut { .. },
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(freeswitch.calls().len(), left);
        freeswitch.faults().clear();
        let client = freeswitch.client().await;
        hang_up(&client, LONG).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_cut_after_so_many_bytes() {
    let (freeswitch, client) = with_client().await;
    freeswitch.faults().close_after(60);
    let reason = broke(hang_up(&client, LONG).await);
    assert!(
        matches!(
            &reason,
            LinkError::Read(CodecError::CutOff { .. }) | LinkError::Closed
        ),
        "{reason:?}"
    );
    assert_eq!(freeswitch.calls(), [""; 0], "it was done");
}

#[tokio::test]
async fn garbage_or_another_answer_comes_in_the_place_of_the_answer() {
    let (freeswitch, client) = with_client().await;
    freeswitch
        .faults()
        .add(Fault::at("hupall", Effect::Print("-ERR no thanks\n".to_owned())));
    let error = hang_up(&client, LONG).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { message, .. } if message == "-ERR no thanks"),
        "{error:?}"
    );
    freeswitch
        .faults()
        .add(Fault::at("hupall", Effect::Bytes(b"\x7fELF\n\n".to_vec())));
    hang_up(&client, LONG).await.unwrap_err();
    assert_eq!(freeswitch.calls().len(), 1);
    assert!(!client.link().borrow().is_connected());
}

#[tokio::test]
async fn each_answer_waits() {
    let (freeswitch, client) = with_client().await;
    freeswitch.faults().delay(Duration::from_hours(1));
    let error = client.version(SHORT).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_job_never_ends_or_ends_with_what_it_printed() {
    let mut freeswitch = FreeSwitch::start().await;
    let mut config = freeswitch.config();
    config.events = Subscription::new(Format::Plain).custom(word("sofia::register"));
    let client = freeswitch.client_with(config).await;
    assert_eq!(client.background("hostname", LONG).await.unwrap(), "vm");
    freeswitch.faults().add(Fault::at("bgapi", Effect::JobWithoutEnd));
    let error = client.background("hostname", SHORT).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_is_let_in_with_another_password_or_from_another_address() {
    let mut freeswitch = FreeSwitch::start().await;
    freeswitch.change_password("other");
    let error = connect(&freeswitch.config()).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::LoginRefused { message } if message == "-ERR invalid"),
        "{error:?}"
    );
    freeswitch.faults().deny_address(true);
    let error = connect(&freeswitch.config()).await.unwrap_err();
    assert!(matches!(error, LinkError::AddressDenied { .. }), "{error:?}");
    freeswitch.faults().clear();
    freeswitch.change_password("ClueCon");
    freeswitch.client().await.version(LONG).await.unwrap();
}

#[tokio::test]
async fn it_goes_away_and_comes_back_at_the_same_port_with_what_it_knew() {
    let (mut freeswitch, client) = with_client().await;
    let port = freeswitch.port;
    freeswitch.close().await;
    hang_up(&client, LONG).await.unwrap_err();
    assert_eq!(freeswitch.calls().len(), 1);
    let error = connect(&freeswitch.config()).await.unwrap_err();
    assert!(matches!(error, LinkError::Connect { .. }), "{error:?}");
    freeswitch.open().await;
    assert_eq!(freeswitch.port, port);
    let client = freeswitch.client().await;
    assert_eq!(client.channels(LONG).await.unwrap().len(), 2);
    assert_eq!(client.request(Command::exit(), LONG).await.unwrap(), "+OK bye");
}
