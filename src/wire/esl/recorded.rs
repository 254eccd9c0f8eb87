//! What a real FreeSWITCH sent, for the tests; see the README beside the files.

use super::{Codec, Message};
use crate::wire::stage;

macro_rules! recorded {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/esl/", $name, ".raw")).as_slice())),+]
    };
}

/// One connection each, from its first byte on.
pub const TRANSCRIPTS: [(&str, &[u8]); 15] = recorded![
    "01-auth-ok",
    "02-auth-wrong-password",
    "03-command-before-auth",
    "04-show-empty",
    "05-errors",
    "06-events-json-loopback-call",
    "07-event-plain-loopback-call",
    "08-sendevent-cache",
    "09-lua-cache-delete",
    "10-bgapi",
    "11-registrations",
    "12-json-api",
    "13-split-write",
    "14-events-register-and-sip-call",
    "15-acl-denied",
];

pub const CHANNELS_WITHIN: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/show-channels-sip-call.json"
));
pub const CHANNELS_FROM_OUTSIDE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/show-channels-inbound-did.json"
));
pub const LEG: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/uuid_dump-leg1.txt"
));

pub fn transcript(name: &str) -> &'static [u8] {
    TRANSCRIPTS.iter().find(|(n, _)| n.starts_with(name)).unwrap().1
}

/// What the API function printed that was asked as number `n`, from 0, in a transcript.
pub fn printed(name: &str, n: usize) -> String {
    let frames = stage::decode(Codec::new(1 << 20), [transcript(name)]).unwrap();
    let printed = frames.into_iter().filter_map(|frame| match Message::from(frame) {
        Message::Api(text) => Some(text),
        _ => None,
    });
    printed.collect::<Vec<String>>().swap_remove(n)
}
