//! The text beside a message's sound, read as it stands: Asterisk's own reader takes what a caller calls himself for a comment
//! (measured: one named `x;--y` hides his number, the time and the id from it).

use jiff::Timestamp;

use crate::domain::call_text::CallText;
use crate::domain::voicemail::PbxMessageId;

/// What a message says of itself; what cannot be read is not there.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct MessageText {
    pub id: Option<PbxMessageId>,
    pub left_at: Option<Timestamp>,
    pub caller: Option<CallText>,
    pub seconds: Option<i64>,
}

impl MessageText {
    /// Of two lines that say the same thing the latter counts: Asterisk writes what a caller chose before the time and the id.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut read = Self::default();
        for line in text.lines() {
            // Asterisk writes `key=value`, and `key = value` where it has written the text anew.
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "msg_id" => read.id = value.parse().ok(),
                "origtime" => read.left_at = value.parse().ok().and_then(time),
                "callerid" => read.caller = number(value),
                "duration" => read.seconds = value.parse().ok().filter(|seconds| *seconds >= 0),
                _ => {}
            }
        }
        read
    }
}

fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)
}

/// The number of `"name" <number>`, of `<number>`, or of a number alone; a name alone is none.
fn number(value: &str) -> Option<CallText> {
    if let Some((_, number)) = value.strip_suffix('>').and_then(|value| value.rsplit_once('<')) {
        return CallText::of(number);
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '*' | '#');
    value
        .chars()
        .all(is_number)
        .then(|| CallText::of(value))
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const TEXT: &str = ";\n; Message Information file\n;\n[message]\norigmailbox=1001\ncontext=acme.example.com\n\
        exten=1001\nrdnis=unknown\npriority=1\ncallerchan=PJSIP/1002@acme.example.com-00000000\n\
        callerid=@CALLER@\norigdate=Sun Nov 29 04:24:12 PM UTC 2026\norigtime=1795969452\ncategory=\n\
        msg_id=1795969452-00000012\nflag=\nduration=5\n";

    fn read(caller: &str) -> MessageText {
        MessageText::read(TEXT.replace("@CALLER@", caller).as_bytes())
    }

    #[rstest]
    #[case(r#""Ann" <1002>"#, Some("1002"))]
    #[case(r#""x;--y" <5550001>"#, Some("5550001"))]
    #[case(r#""Ali;ce \"x\"" <5551000>"#, Some("5551000"))]
    #[case(r#""a\\" <5550002>"#, Some("5550002"))]
    #[case(r#""<5551111>" <5550011>"#, Some("5550011"))]
    #[case(r#""" <+493012>"#, Some("+493012"))]
    #[case("5550005", Some("5550005"))]
    #[case("anonymous", None)]
    #[case("Unknown", None)]
    #[case("", None)]
    #[case(r#""Ann" <>"#, None)]
    // Cut by Asterisk, which keeps 255 characters.
    #[case(r#""LLLLLLLLLLLLLLLLL"#, None)]
    fn a20_the_number_is_read_whatever_the_caller_calls_himself(
        #[case] caller: &str,
        #[case] number: Option<&str>,
    ) {
        let read = read(caller);
        assert_eq!(read.caller.as_ref().map(CallText::as_str), number);
        assert_eq!(read.left_at, Timestamp::from_second(1_795_969_452).ok());
        assert_eq!(read.id.unwrap().as_str(), "1795969452-00000012");
        assert_eq!(read.seconds, Some(5));
    }

    #[test]
    fn a20_a_text_that_asterisk_has_written_anew_is_read_as_well() {
        let text = TEXT
            .replace('=', " = ")
            .replace("@CALLER@", r#""--\;z" <5550003>"#);
        let read = MessageText::read(text.as_bytes());
        assert_eq!(read.caller.unwrap().as_str(), "5550003");
        assert_eq!(read.id.unwrap().as_str(), "1795969452-00000012");
    }

    #[rstest]
    #[case("origtime=1795969452", "origtime=")]
    #[case("origtime=1795969452", "origtime=-1")]
    #[case("origtime=1795969452", "origtime=99999999999999999999")]
    #[case("origtime=1795969452", "origtime=9223372036854775807")]
    fn a20_a_time_that_is_none_is_not_believed(#[case] line: &str, #[case] wrong: &str) {
        let read = MessageText::read(TEXT.replace(line, wrong).as_bytes());
        assert_eq!(read.left_at, None);
        assert!(read.id.is_some());
    }

    proptest! {
        #[test]
        fn a20_whatever_stands_in_a_text_harms_nothing(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let read = MessageText::read(&bytes);
            prop_assert!(read.seconds.is_none_or(|seconds| seconds >= 0));
        }

        #[test]
        fn a20_no_caller_without_a_line_of_his_own_changes_time_or_id(caller in "[^\r\n]{0,200}") {
            let read = read(&caller);
            prop_assert_eq!(read.left_at, Timestamp::from_second(1_795_969_452).ok());
            prop_assert_eq!(read.id, "1795969452-00000012".parse().ok());
        }
    }
}
