//! A recorded transcript that is asked for again, message by message.

use std::collections::VecDeque;

use bytes::BytesMut;
use switchyard::wire::esl::Codec;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::Decoder as _;

use crate::freeswitch::FreeSwitch;
use crate::rig::LONG;

/// A connection on which a transcript is due.
pub struct Replay {
    stream: TcpStream,
    /// What is still due.
    pub messages: VecDeque<Vec<u8>>,
}

impl Replay {
    /// Connects, and reads the messages that come by themselves.
    pub async fn of(name: &str, freeswitch: &FreeSwitch) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", freeswitch.port)).await.unwrap();
        let mut replay = Self {
            stream,
            messages: messages(name),
        };
        replay.comes(1).await;
        replay
    }

    /// The next messages are those of the transcript.
    pub async fn comes(&mut self, count: usize) {
        for _ in 0..count {
            let due = self.messages.pop_front().unwrap();
            let mut got = vec![0; due.len()];
            let read = timeout(LONG, self.stream.read_exact(&mut got)).await;
            assert!(
                matches!(read, Ok(Ok(_))),
                "{read:?}: {}",
                String::from_utf8_lossy(&got)
            );
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(text(&got), text(&due));
        }
    }

    pub async fn write(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Sends a command; so many messages come of it.
    pub async fn say(&mut self, command: &str, messages: usize) {
        self.write(&format!("{command}\n\n")).await;
        self.comes(messages).await;
    }

    pub async fn sign_in(&mut self) {
        self.say("auth ClueCon", 1).await;
    }

    /// Has FreeSWITCH send the events that come next in the transcript.
    pub async fn events(&mut self, freeswitch: &FreeSwitch) {
        let is_event = |message: &&Vec<u8>| message.starts_with(b"Content-Length: ");
        let events: Vec<Vec<u8>> = self.messages.iter().take_while(is_event).cloned().collect();
        assert!(!events.is_empty());
        freeswitch.play(&events.concat());
        self.comes(events.len()).await;
    }

    /// The transcript is at its end, and so is what FreeSWITCH says.
    pub async fn ends(mut self) {
        assert_eq!(self.messages.len(), 0);
        self.stream.shutdown().await.unwrap();
        let mut more = Vec::new();
        self.stream.read_to_end(&mut more).await.unwrap();
        assert_eq!(String::from_utf8(more).unwrap(), "");
    }
}

/// The messages of a transcript, with the bytes that each had.
fn messages(name: &str) -> VecDeque<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/esl");
    let bytes = std::fs::read(format!("{folder}/{name}.raw")).unwrap();
    let (mut codec, mut buffer) = (Codec::new(1 << 20), BytesMut::from(bytes.as_slice()));
    let (mut messages, mut start) = (VecDeque::new(), 0);
    while codec.decode(&mut buffer).unwrap().is_some() {
        let end = bytes.len() - buffer.len();
        messages.push_back(bytes[start..end].to_vec());
        start = end;
    }
    assert_eq!(start, bytes.len());
    messages
}
