//! Reads server-sent events as a browser does.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use super::client::Ask;

/// Long enough for any of them.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub struct Stream {
    response: Response,
    /// What came and is not read yet.
    text: String,
}

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub id: String,
    /// Empty where it has none.
    pub name: String,
    pub data: Value,
}

impl Stream {
    pub async fn open(ask: Ask<'_>) -> Self {
        let response = ask.open().await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(response.status(), 200);
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        assert!(!header("x-request-id").is_empty());
        let text = String::new();
        Self { response, text }
    }

    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = read(block);
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.unwrap();
            match chunk.unwrap() {
                Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => return None,
            }
        }
    }

    /// All that is still to come.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert_eq!(self.text, "", "half an event");
        events
    }
}

/// None for a comment.
fn read(block: &str) -> Option<Event> {
    let (mut id, mut name, mut data) = (None, String::new(), None);
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("event", value)) => value.clone_into(&mut name),
            Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
            _ => assert!(line.starts_with(':'), "{line}"),
        }
    }
    Some(Event {
        id: id?,
        name,
        data: data.unwrap(),
    })
}
