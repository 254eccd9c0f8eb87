//! The codec on recorded transcripts, on every cut of them, and on garbage.

use std::fmt::Write as _;

use super::*;
use crate::wire::esl::recorded::{TRANSCRIPTS, transcript};
use crate::wire::esl::{Event, Message};
use crate::wire::stage;
use proptest::prelude::*;

const MAX_BODY: usize = 64 * 1024;
const GREETING: &[u8] = b"Content-Type: auth/request\n\n";

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, CodecError> {
    stage::decode(Codec::new(MAX_BODY), pieces)
}

/// Where each message of a transcript ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let (mut codec, mut buffer) = (Codec::new(MAX_BODY), BytesMut::from(bytes));
    let mut ends = vec![0];
    while codec.decode(&mut buffer).unwrap().is_some() {
        ends.push(bytes.len() - buffer.len());
    }
    ends
}

fn after_greeting(bytes: &[u8]) -> Vec<u8> {
    [GREETING, bytes].concat()
}

/// All that is in a message, and of an event what it is and how much it holds.
fn shown(message: &Message) -> String {
    match message {
        Message::Reply(reply) => {
            let job = reply.job.iter().map(|job| format!(" [job {job}]"));
            format!("command/reply {}{}", reply.text, job.collect::<String>())
        }
        Message::Api(text) => format!("api/response {text:?}"),
        Message::Event(event) => {
            let mut line = format!("event {}", event.name().unwrap_or("?"));
            for part in [
                event.subclass(),
                event.get("Unique-ID"),
                event.get("Job-UUID"),
                event.get("call-id"),
            ] {
                line.extend(part.map(|part| format!(" {part}")));
            }
            let all: Vec<(&str, &str)> = event.headers().collect();
            let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
            let _ = write!(
                line,
                ", {} headers of {bytes} bytes, last {:?}",
                all.len(),
                all.last().unwrap()
            );
            if let Some(body) = event.body() {
                let _ = write!(line, ", body {body:?}");
            }
            line
        }
        other => other.content_type().to_owned(),
    }
}

fn messages(bytes: &[u8]) -> Vec<Message> {
    decode([bytes]).unwrap().into_iter().map(Message::from).collect()
}

#[test]
fn every_transcript_says_what_it_says() {
    for (name, bytes) in TRANSCRIPTS {
        let lines: Vec<String> = messages(bytes).iter().map(shown).collect();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

#[test]
fn every_transcript_reads_the_same_byte_by_byte() {
    for (name, bytes) in TRANSCRIPTS {
        assert_eq!(
            decode(bytes.chunks(1)).unwrap(),
            decode([bytes]).unwrap(),
            "{name}"
        );
    }
}

/// Between two messages the codec remembers nothing, so each cut is tried with the message that it falls into and the one
/// after it: whole transcripts for each of their bytes would take minutes.
#[test]
fn every_transcript_reads_the_same_cut_at_every_byte_and_ended_there_says_so() {
    for (name, bytes) in TRANSCRIPTS {
        let ends = ends(bytes);
        assert_eq!(ends.last(), Some(&bytes.len()), "{name}");
        for (n, start) in ends.iter().enumerate() {
            let Some(end) = ends.get(n + 1) else { break };
            let next = ends.get(n + 2).unwrap_or(end);
            let whole = decode([&bytes[*start..*next]]).unwrap();
            for cut in *start..*end {
                let (head, tail) = (&bytes[*start..cut], &bytes[cut..*next]);
                assert!(decode([head, tail]).unwrap() == whole, "{name} cut at {cut}");
                match decode([head]) {
                    Ok(none) => assert!(none.is_empty() && cut == *start, "{name} until {cut}"),
                    Err(CodecError::CutOff { bytes }) => assert_eq!(bytes, cut - start, "{name} until {cut}"),
                    Err(other) => panic!("{name} until {cut}: {other}"),
                }
            }
        }
    }
}

#[test]
fn both_forms_of_an_event_are_read_whole() {
    for (name, headers, domain) in [
        ("06-events-json", 70, Some("demo.local")),
        ("07-event-plain", 65, None),
    ] {
        let events: Vec<Event> = messages(transcript(name))
            .into_iter()
            .filter_map(|message| {
                if let Message::Event(event) = message {
                    Some(event)
                } else {
                    None
                }
            })
            .collect();
        let created = events
            .iter()
            .find(|event| event.name() == Some("CHANNEL_CREATE"))
            .unwrap();
        assert!(
            created.headers().count() >= headers,
            "{name}: {}",
            created.headers().count()
        );
        assert_eq!(created.get("FreeSWITCH-IPv6"), Some("fd00::2"), "{name}");
        assert_eq!(
            created.get("Caller-Callee-ID-Name"),
            Some("Outbound Call"),
            "{name}"
        );
        assert_eq!(created.get("variable_domain_name"), domain, "{name}");
    }
}

#[test]
fn another_server_is_recognised_by_its_greeting() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail.example.com ESMTP\r\n",
        "Asterisk Call Manager/11.0.0\r\n",
        ": x\n",
    ] {
        let error = decode([greeting.as_bytes()]).unwrap_err();
        let quoted = greeting.trim_end_matches("\n\r\n").trim_end_matches('\n');
        assert!(
            matches!(&error, CodecError::Greeting { got } if got == quoted),
            "{greeting:?}: {error}"
        );
    }
    // A TLS alert has no line end at all.
    let error = decode([vec![0x15; MAX_GREETING + 1].as_slice()]).unwrap_err();
    assert!(
        matches!(&error, CodecError::Greeting { got } if got.len() == QUOTED_CHARS),
        "{error}"
    );
}

#[test]
fn a_line_that_is_no_header_is_told_by_its_length_only() {
    let error = decode([after_greeting(b"Content-Type: a/b\ns3cret\n\n").as_slice()]).unwrap_err();
    assert!(matches!(error, CodecError::NoHeader { bytes: 6 }), "{error}");
    assert!(!format!("{error:?} {error}").contains("s3cret"));
}

#[test]
fn a_body_may_fill_the_limit_and_not_pass_it() {
    let sized = |bytes: usize| {
        let headers = format!("Content-Type: api/response\nContent-Length: {bytes}\n\n");
        after_greeting(&[headers.as_bytes(), &vec![b'x'; bytes]].concat())
    };
    let frames = decode([sized(MAX_BODY).as_slice()]).unwrap();
    assert_eq!(frames[1].body.len(), MAX_BODY);
    let error = decode([sized(MAX_BODY + 1).as_slice()]).unwrap_err();
    assert!(
        matches!(error, CodecError::TooLong { limit: MAX_BODY }),
        "{error}"
    );
}

#[test]
fn a_length_that_is_none_is_refused() {
    for said in ["", "-1", "+1", "1 ", "0x10", "1e3", "99999999999999999999999"] {
        let wire = after_greeting(format!("Content-Length: {said}\n\n").as_bytes());
        let error = decode([wire.as_slice()]).unwrap_err();
        assert!(
            matches!(&error, CodecError::Length { got } if got == said),
            "{said:?}: {error}"
        );
    }
}

#[test]
fn headers_without_end_are_given_up_at_their_limit() {
    for line in ["a: b\n", "a: b"] {
        let (mut codec, mut buffer) = (Codec::new(MAX_BODY), BytesMut::from(GREETING));
        codec.decode(&mut buffer).unwrap();
        let refused_at = (0..).step_by(line.len()).find(|_| {
            buffer.extend_from_slice(line.as_bytes());
            codec.decode(&mut buffer).is_err()
        });
        let refused_at = refused_at.unwrap();
        assert!(
            refused_at <= MAX_HEADERS && refused_at + line.len() > MAX_HEADERS,
            "{refused_at}"
        );
    }
}

#[test]
fn empty_lines_between_messages_mean_nothing() {
    let wire = [b"\n\n".as_slice(), GREETING, b"\n\n\n", GREETING, b"\n"].concat();
    assert_eq!(decode([wire.as_slice()]).unwrap().len(), 2);
}

#[test]
fn eight_hundred_channels_are_one_answer_however_small_the_pieces() {
    let row = format!("{{\"uuid\":\"{}\"}},", "x".repeat(853));
    let body = row.repeat(800);
    let wire = after_greeting(
        format!(
            "Content-Type: api/response\nContent-Length: {}\n\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let (mut codec, mut buffer, mut frames) = (Codec::new(1 << 20), BytesMut::new(), Vec::new());
    for chunk in wire.chunks(7) {
        buffer.extend_from_slice(chunk);
        while let Some(frame) = codec.decode(&mut buffer).unwrap() {
            frames.push(frame);
        }
    }
    assert!(body.len() > 690_000);
    assert_eq!(frames[1].body, body.as_bytes());
}

/// A message as a server writes it.
fn encode(headers: &[(String, String)], body: Option<&[u8]>) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in headers {
        let _ = writeln!(text, "{key}: {value}");
    }
    if let Some(body) = body {
        let _ = writeln!(text, "Content-Length: {}", body.len());
    }
    text.push('\n');
    [text.as_bytes(), body.unwrap_or_default()].concat()
}

/// `bytes` in pieces that end at these places.
fn pieces<'a>(bytes: &'a [u8], ends: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = ends.iter().map(|end| end.index(bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn garbage_never_panics_and_reads_the_same_however_it_is_cut(
        bytes in prop::collection::vec(
            prop_oneof![Just(b'\n'), Just(b':'), Just(b'a'), any::<u8>()], 0..400
        ),
        greeted in any::<bool>(),
        sized in prop::option::of(0_usize..50),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = match sized {
            Some(length) => [format!("Content-Length: {length}\n\n").as_bytes(), &bytes].concat(),
            None => bytes,
        };
        let bytes = if greeted { after_greeting(&bytes) } else { bytes };
        let whole = decode([bytes.as_slice()]);
        if let Ok(frames) = &whole {
            // Nor does anything that is made of them.
            frames.iter().cloned().for_each(|frame| { let _ = Message::from(frame); });
        }
        let whole = format!("{whole:?}");
        prop_assert_eq!(format!("{:?}", decode(pieces(&bytes, &ends))), whole.clone());
        prop_assert_eq!(format!("{:?}", decode(bytes.chunks(1))), whole);
    }

    #[test]
    fn transcripts_read_the_same_in_whatever_pieces(
        which in 0..TRANSCRIPTS.len(),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (name, bytes) = TRANSCRIPTS[which];
        prop_assert!(decode(pieces(bytes, &ends)).unwrap() == decode([bytes]).unwrap(), "{}", name);
    }

    #[test]
    fn messages_come_back_as_they_were_written(
        all in prop::collection::vec(
            (
                prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,10}x", "[^\n]{0,30}"), 1..6),
                prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
            ),
            0..6,
        ),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let written = all.iter().map(|(headers, body)| encode(headers, body.as_deref()));
        let wire = after_greeting(&written.collect::<Vec<_>>().concat());
        let frames = decode(pieces(&wire, &ends)).unwrap();
        prop_assert_eq!(frames.len(), all.len() + 1);
        for (frame, (headers, body)) in frames[1..].iter().zip(&all) {
            let read = frame.headers.iter().filter(|(key, _)| *key != "Content-Length");
            let read: Vec<_> = read.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(&read, headers);
            prop_assert_eq!(&frame.body[..], body.as_deref().unwrap_or_default());
        }
    }

    #[test]
    fn events_come_back_as_they_were_written(
        headers in prop::collection::vec(("[A-Za-z][A-Za-z0-9_-]{0,12}x", "(?s).{0,30}"), 0..12),
        body in prop::option::of("(?s).{1,80}"),
    ) {
        let mut plain = String::new();
        for (key, value) in &headers {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            let _ = writeln!(plain, "{key}: {value}");
        }
        let text = serde_json::Value::from;
        let mut members: Vec<String> = headers
            .iter()
            .map(|(key, value)| format!("{}:{}", text(key.as_str()), text(value.as_str())))
            .collect();
        members.extend(body.as_deref().map(|body| format!("\"_body\":{}", text(body))));
        let json = Event::from_json(format!("{{{}}}", members.join(",")).as_bytes()).unwrap();
        let plain = Event::from_plain(format!("{plain}\n{}", body.as_deref().unwrap_or_default()).as_bytes()).unwrap();
        let written: Vec<(&str, &str)> = headers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        prop_assert_eq!(json.headers().collect::<Vec<_>>(), written);
        prop_assert_eq!(json.body(), body.as_deref());
        prop_assert_eq!(plain, json);
    }

    #[test]
    fn whatever_is_said_to_be_an_event_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(?s)[\\[\\]{}\":,a0\n%]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = (Event::from_json(bytes), Event::from_plain(bytes));
        }
    }
}
