//! How an answer of one or many messages is put together.

use super::error::AnswerError;
use super::message::Message;

/// A response and the events that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub response: Message,
    /// The items, without the closing event.
    pub events: Vec<Message>,
}

/// How many messages an answer is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expect {
    One,
    /// A single response that the link itself wants, however many requests wait already.
    LifeSign,
    List {
        limit: usize,
    },
}

/// The messages of one answer so far.
#[derive(Debug)]
pub(super) struct Collector {
    expect: Expect,
    response: Option<Message>,
    events: Vec<Message>,
}

impl Collector {
    pub fn new(expect: Expect) -> Self {
        Self {
            expect,
            response: None,
            events: Vec::new(),
        }
    }

    /// Adds one message; `Some` once the answer is whole.
    pub fn take(&mut self, message: Message) -> Option<Result<List, AnswerError>> {
        if message.event().is_some() {
            return self.take_event(message);
        }
        match self.expect {
            Expect::List { .. } if message.is_success() && is_list_mark(&message, "start") => {
                self.response = Some(message);
                None
            }
            Expect::List { .. } if message.is_success() => {
                let message = message.get("Message").unwrap_or_default().trim().to_owned();
                Some(Err(AnswerError::NotAList { message }))
            }
            _ => Some(Ok(List {
                response: message,
                events: Vec::new(),
            })),
        }
    }

    fn take_event(&mut self, event: Message) -> Option<Result<List, AnswerError>> {
        // What a single-response action sends besides its response is not waited for.
        let Expect::List { limit } = self.expect else {
            return None;
        };
        if is_list_mark(&event, "Complete") || event.event().is_some_and(|name| name.ends_with("Complete")) {
            let got = self.events.len();
            let said = event.get("ListItems");
            if said.and_then(|n| n.trim().parse().ok()) != Some(got) {
                return Some(Err(AnswerError::ItemCount {
                    said: said.map(str::to_owned),
                    got,
                }));
            }
            let response = self.response.take()?;
            return Some(Ok(List {
                response,
                events: std::mem::take(&mut self.events),
            }));
        }
        if self.events.len() >= limit {
            return Some(Err(AnswerError::TooManyItems { limit }));
        }
        self.events.push(event);
        None
    }
}

fn is_list_mark(message: &Message, mark: &str) -> bool {
    message
        .get("EventList")
        .is_some_and(|value| value.eq_ignore_ascii_case(mark))
}
