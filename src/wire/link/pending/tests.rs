//! The table by itself, with requests that are numbers.

use super::*;
use crate::wire::link::{Hub, LinkFailure, Lookup, Room, Timing};
use std::time::Duration;

#[derive(Debug, Clone)]
struct Numbers;

#[derive(Debug, thiserror::Error)]
#[error("down")]
struct Down(&'static str);

impl LinkFailure for Down {
    fn not_tried() -> Self {
        Self("not tried")
    }

    fn stopped() -> Self {
        Self("stopped")
    }

    fn silent(_: Duration) -> Self {
        Self("silent")
    }

    fn is_refusal(&self) -> bool {
        false
    }
}

impl Protocol for Numbers {
    type Config = Timing;
    type Line = ();
    type Request = u8;
    type Collector = ();
    type Part = u8;
    type Answer = u8;
    type Event = u8;
    type LinkError = Down;
    type BuildError = Down;
    type AnswerError = Down;

    const PEER: &'static str = "a table";

    fn timing(config: &Timing) -> &Timing {
        config
    }

    fn room(_: &Timing) -> Room {
        Room {
            pending: 1,
            events: 1,
        }
    }

    fn life_sign() -> (u8, ()) {
        (0, ())
    }

    fn collect((): &mut (), part: u8) -> Option<Result<u8, Down>> {
        Some(Ok(part))
    }

    async fn open(_: &Timing, _: &mut Lookup) -> Result<(), Down> {
        Err(Down::not_tried())
    }

    async fn serve((): &mut (), _: &Hub<Self>, _: &mut mpsc::Receiver<Outgoing<Self>>) -> Down {
        Down::stopped()
    }
}

type Queue = (mpsc::Sender<Outgoing<Numbers>>, mpsc::Receiver<Outgoing<Numbers>>);

/// A table whose link is up, and room for its requests.
fn table(limit: usize) -> (Pending<Numbers>, Queue) {
    let pending = Pending::new(limit);
    pending.link_up();
    (pending, mpsc::channel(limit * 2))
}

fn submit(pending: &Pending<Numbers>, queue: &Queue) -> Result<u64, UnsentReason<Down, Down>> {
    pending.submit(&queue.0, 1, ()).map(|waiting| waiting.id)
}

#[test]
fn a_sign_of_life_finds_room_in_a_full_table() {
    let (pending, queue) = table(2);
    for _ in 0..2 {
        submit(&pending, &queue).unwrap();
    }
    assert!(matches!(
        submit(&pending, &queue),
        Err(UnsentReason::Busy { limit: 2 })
    ));
    assert!(pending.submit_urgent(&queue.0, 1, ()).is_ok());
}

#[test]
fn a_full_queue_registers_nothing() {
    let (pending, queue) = table(2);
    for _ in 0..4 {
        let id = submit(&pending, &queue).unwrap();
        assert!(matches!(pending.give_up(id), GivenUp::Unsent));
    }
    assert!(matches!(submit(&pending, &queue), Err(UnsentReason::Busy { .. })));
    assert_eq!(pending.len(), 0);
}

#[test]
fn the_link_is_in_doubt_from_a_given_up_request_until_something_is_heard() {
    let (pending, queue) = table(9);
    assert!(pending.may_ping());
    let [older, given_up, _younger] = [(); 3].map(|()| submit(&pending, &queue).unwrap());
    assert!(pending.mark_sent(given_up));
    assert!(matches!(pending.give_up(given_up), GivenUp::Sent));
    assert!(!pending.may_ping(), "the PBX may be at work on the older one");
    assert!(matches!(pending.give_up(older), GivenUp::Unsent));
    assert!(
        pending.may_ping(),
        "the younger one waits behind the one given up"
    );
    pending.heard();
    assert!(
        !pending.may_ping(),
        "something was heard, the younger one may be at work"
    );
}

#[test]
fn what_goes_on_in_the_background_excuses_no_silence_and_casts_no_doubt() {
    let (pending, queue) = table(9);
    let job = submit(&pending, &queue).unwrap();
    assert!(!pending.may_ping());
    assert!(pending.in_background(job));
    assert!(pending.may_ping());
    assert!(pending.mark_sent(job) && pending.is_awaited(job));
    submit(&pending, &queue).unwrap();
    assert!(matches!(pending.give_up(job), GivenUp::Sent));
    assert!(!pending.may_ping(), "the PBX may be at work on the younger one");
    assert!(!pending.in_background(job) && !pending.is_awaited(job));
}

#[test]
fn a_link_goes_down_once_and_refuses_with_the_last_reason() {
    let (pending, queue) = table(2);
    assert!(pending.link_down(&Arc::new(Down("first"))));
    assert!(!pending.link_down(&Arc::new(Down("last"))));
    let error = submit(&pending, &queue).unwrap_err();
    assert!(matches!(error, UnsentReason::LinkDown(reason) if reason.0 == "last"));
}
