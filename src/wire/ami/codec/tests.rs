//! The codec on recorded transcripts, on every cut of them, and on garbage.

use super::*;
use crate::wire::stage;
use proptest::prelude::*;

const BANNER_LINE: &[u8] = b"Asterisk Call Manager/11.0.0\r\n";
const MAX_FRAME: usize = 64 * 1024;

macro_rules! vectors {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ami/", $name, ".raw")).as_slice())),+]
    };
}

/// What a real Asterisk sent; see the README beside the files.
const VECTORS: [(&str, &[u8]); 11] = vectors![
    "login_events",
    "login_refused",
    "not_logged_in",
    "bad_actions",
    "commands",
    "getvar",
    "reload",
    "dialplan",
    "voicemail",
    "endpoints",
    "channels",
];

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, CodecError> {
    stage::decode(Codec::new(MAX_FRAME), pieces)
}

fn vector(name: &str) -> &'static [u8] {
    VECTORS.iter().find(|(n, _)| *n == name).unwrap().1
}

fn messages(name: &str) -> Vec<Message> {
    let frames = decode([vector(name)]).unwrap();
    let messages = frames
        .into_iter()
        .filter_map(|f| if let Frame::Message(m) = f { Some(m) } else { None });
    messages.collect()
}

fn after_banner(bytes: &[u8]) -> Vec<u8> {
    [BANNER_LINE, bytes].concat()
}

#[test]
fn every_vector_reads_the_same_cut_at_every_byte() {
    for (name, bytes) in VECTORS {
        let whole = decode([bytes]).unwrap();
        assert_eq!(whole.first(), Some(&Frame::Banner("11.0.0".to_owned())), "{name}");
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode([head, tail]).unwrap(), whole, "{name} cut at {cut}");
        }
        assert_eq!(decode(bytes.chunks(1)).unwrap(), whole, "{name} byte by byte");
    }
}

#[test]
fn every_vector_that_ends_early_says_so() {
    for (name, bytes) in VECTORS {
        for end in 1..bytes.len() {
            match decode([&bytes[..end]]) {
                Err(CodecError::CutOff { bytes }) => assert!(bytes <= end, "{name} until {end}"),
                // The cut fell between two messages.
                Ok(_) => assert!(bytes[..end].ends_with(b"\r\n"), "{name} until {end}"),
                Err(other) => panic!("{name} until {end}: {other}"),
            }
        }
    }
}

#[test]
fn every_message_of_the_vectors_is_a_response_or_an_event() {
    for (name, bytes) in VECTORS {
        let blocks = bytes.windows(4).filter(|w| w == b"\r\n\r\n").count();
        let all = messages(name);
        assert!(
            all.iter().all(|m| m.response().is_some() != m.event().is_some()),
            "{name}"
        );
        // One of the variables asked for holds an empty line; its second half is a block of its own.
        let malformed = usize::from(name == "getvar");
        assert_eq!(all.len() + malformed, blocks, "{name}");
    }
}

#[test]
fn command_output_keeps_each_line() {
    let all = messages("commands");
    let dialplan = all.iter().find(|m| m.action_id() == Some("1-4")).unwrap();
    let lines: Vec<&str> = dialplan.all("Output").collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0], "[ Context 'acme' created by 'pbx_config' ]");
    assert!(
        lines[1].starts_with("  '_1XXX' =>        1. NoOp(Zoë calls)"),
        "{:?}",
        lines[1]
    );
    assert_eq!(lines[5], "");
    let refused = all.iter().find(|m| m.action_id() == Some("1-3")).unwrap();
    assert!(refused.is_error() && refused.get("Output").unwrap().starts_with("No such command"));
}

#[test]
fn asterisk_escapes_no_value_and_the_stream_goes_on() {
    let frames = decode([vector("getvar")]).unwrap();
    assert!(frames.contains(&Frame::Malformed("b".to_owned())));
    let all = messages("getvar");
    let value = |id: &str| {
        all.iter()
            .find(|m| m.action_id() == Some(id))
            .and_then(|m| m.get("Value"))
    };
    assert_eq!(value("1-2"), Some("g7"));
    assert_eq!(value("1-3"), Some(""));
    assert_eq!(value("1-4"), Some("a\r\nb"));
    assert_eq!(value("1-5"), Some("a"));
    assert_eq!(value("1-8"), Some("\u{fffd}\u{fffd}"));
}

#[test]
fn a_list_says_how_many_items_it_has() {
    let all = messages("endpoints");
    let items = all.iter().filter(|m| m.event() == Some("EndpointList")).count();
    let end = all
        .iter()
        .find(|m| m.event() == Some("EndpointListComplete"))
        .unwrap();
    assert_eq!(end.get("ListItems"), Some("3"));
    assert_eq!(items, 3);
}

#[test]
fn another_server_is_recognised_by_its_greeting() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\n",
        "asterisk call manager/1\r\n",
    ] {
        let error = decode([greeting.as_bytes()]).unwrap_err();
        assert!(
            matches!(error, CodecError::Banner { .. }),
            "{greeting:?}: {error}"
        );
    }
    // A TLS alert has no line end at all.
    let error = decode([vec![0x15; MAX_BANNER + 1].as_slice()]).unwrap_err();
    assert!(matches!(error, CodecError::Banner { .. }), "{error}");
}

#[test]
fn a_message_may_fill_the_limit_and_not_pass_it() {
    let sized =
        |bytes: usize| after_banner(&[b"Output: ".as_slice(), &vec![b'x'; bytes - 8], b"\r\n\r\n"].concat());
    assert_eq!(decode([sized(MAX_FRAME).as_slice()]).unwrap().len(), 2);
    let error = decode([sized(MAX_FRAME + 1).as_slice()]).unwrap_err();
    assert!(
        matches!(error, CodecError::TooLong { limit: MAX_FRAME }),
        "{error}"
    );
}

#[test]
fn a_message_without_end_is_given_up_at_the_limit() {
    let (mut codec, mut buffer) = (Codec::new(1000), BytesMut::from(BANNER_LINE));
    codec.decode(&mut buffer).unwrap();
    let refused_at = (0..).step_by(10).find(|_| {
        buffer.extend_from_slice(b"Output: a\n");
        codec.decode(&mut buffer).is_err()
    });
    assert_eq!(refused_at, Some(1000));
}

#[test]
fn empty_lines_between_messages_mean_nothing() {
    let frames =
        decode([after_banner(b"\r\n\r\n\r\nEvent: A\r\n\r\n\r\n\r\n\r\nEvent: B\r\n\r\n\r\n").as_slice()])
            .unwrap();
    assert_eq!(frames.len(), 3);
}

#[test]
fn an_error_quotes_little_of_what_came() {
    let long = after_banner(&[vec![b'x'; 5000].as_slice(), b"\r\n\r\n"].concat());
    assert_eq!(
        decode([long.as_slice()]).unwrap()[1],
        Frame::Malformed("x".repeat(QUOTED_CHARS))
    );
}

proptest! {
    #[test]
    fn garbage_never_panics_and_reads_the_same_however_it_is_cut(
        bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), any::<u8>()], 0..300),
        greeted in any::<bool>(),
        size in 1_usize..20,
    ) {
        let bytes = if greeted { after_banner(&bytes) } else { bytes };
        let whole = format!("{:?}", decode([bytes.as_slice()]));
        prop_assert_eq!(format!("{:?}", decode(bytes.chunks(size))), whole);
    }

    #[test]
    fn fields_come_back_as_they_were_written(
        fields in prop::collection::vec(("[A-Za-z][A-Za-z0-9()./ -]{0,10}", "[^\r]{0,30}"), 1..10)
    ) {
        let lines: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
        let wire = lines.concat() + "\r\n";
        let frames = decode([after_banner(wire.as_bytes()).as_slice()]).unwrap();
        let [_, Frame::Message(message)] = frames.as_slice() else { panic!("{frames:?}") };
        let read: Vec<_> = message.fields().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(read, fields);
    }
}
