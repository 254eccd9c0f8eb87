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
enum Expect {
    One,
    List { limit: usize },
}

/// The messages of one answer so far.
#[derive(Debug)]
pub struct Collector {
    expect: Expect,
    response: Option<Message>,
    events: Vec<Message>,
}

impl Collector {
    /// A single response.
    pub fn one() -> Self {
        Self::new(Expect::One)
    }

    /// A response, events, and one that ends them.
    pub fn list(limit: usize) -> Self {
        Self::new(Expect::List { limit })
    }

    fn new(expect: Expect) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Expect = Expect::List { limit: 5 };

    /// The answer after the last of `blocks`; none of those before may end it.
    fn collect(expect: Expect, blocks: &[&str]) -> Option<Result<List, AnswerError>> {
        let mut collector = Collector::new(expect);
        let mut answer = None;
        for block in blocks {
            assert!(answer.is_none(), "it was whole before {block:?}");
            answer = collector.take(Message::parse(block.as_bytes()).unwrap());
        }
        answer
    }

    #[test]
    fn a_list_ends_by_its_mark_or_by_the_name_of_its_event() {
        for end in [
            "Event: Whatever\r\nEventList: Complete\r\nListItems: 1",
            "Event: PeerlistComplete\r\nListItems: 1",
            "Event: PeerlistComplete\r\nEventList: complete\r\nListItems:  1 ",
        ] {
            let blocks = ["Response: Success\r\nEventList: start", "Event: A\r\nN: 1", end];
            let list = collect(LIST, &blocks).unwrap().unwrap();
            assert_eq!(list.events.len(), 1, "{end:?}");
        }
    }

    #[test]
    fn an_end_before_its_beginning_is_no_list() {
        assert_eq!(collect(LIST, &["Event: XComplete\r\nListItems: 0"]), None);
    }

    #[test]
    fn a_refused_list_ends_with_its_response() {
        let list = collect(LIST, &["Response: Error\r\nMessage: No Contacts found\n"])
            .unwrap()
            .unwrap();
        assert!(list.response.is_error() && list.events.is_empty());
    }

    #[test]
    fn a_single_answer_is_the_response_whatever_events_come_with_it() {
        let blocks = [
            "Event: A",
            "Event: AComplete\r\nEventList: Complete",
            "Response: Success\r\nEventList: start",
        ];
        assert!(
            collect(Expect::One, &blocks)
                .unwrap()
                .unwrap()
                .response
                .is_success()
        );
    }
}
