//! Clients and links against an event socket with state, and against none.

mod answers;
mod ask;
mod events;
mod faults;
mod peer;
mod sign_in;
mod supervised;

use bytes::BytesMut;
use tokio_util::codec::Decoder as _;

use super::Codec;

/// The events of a transcript, each with the bytes that it had.
fn events_of(transcript: &'static [u8]) -> Vec<&'static [u8]> {
    let (mut codec, mut buffer) = (Codec::new(1 << 20), BytesMut::from(transcript));
    let mut start = 0;
    let mut events = Vec::new();
    while codec.decode(&mut buffer).unwrap().is_some() {
        let end = transcript.len() - buffer.len();
        if transcript[start..end].starts_with(b"Content-Length: ") {
            events.push(&transcript[start..end]);
        }
        start = end;
    }
    events
}
