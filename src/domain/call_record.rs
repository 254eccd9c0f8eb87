//! A call that is over, of one tenant; and which of them a list asks for.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

pub use super::call::CallDirection;
use super::call_text::{CallText, HangupCause, PbxCallId};
use super::ids::{CallRecordId, ExtensionId, InstanceId, RecordingId, TenantId};
use super::invalid::{FieldErrors, Invalid};
use super::moment::Moment;
use super::page::PageRequest;
use super::parsed::{text_schema, word_enum};

word_enum! {
    /// What came of a call.
    Disposition {
        /// Somebody or something answered.
        Answered = "answered",
        /// Nobody did, or the caller gave up.
        NoAnswer = "no_answer",
        /// The phone was in a call, or refused it.
        Busy = "busy",
        /// It could not be put through.
        Failed = "failed",
    }
}

/// A call that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// Its id.
    pub id: CallRecordId,
    /// Whose it was.
    pub tenant_id: TenantId,
    /// Where it was.
    pub instance_id: InstanceId,
    /// By which the PBX knew it.
    pub call: PbxCallId,
    /// The caller's number: that of the extension where it is one.
    pub from_number: Option<CallText>,
    /// The caller's name, which the caller may have chosen.
    pub from_name: Option<CallText>,
    /// What was dialled.
    pub to_number: Option<CallText>,
    /// Whether it came in, went out, or neither.
    pub direction: CallDirection,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was first answered.
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Timestamp,
    /// Whole seconds from its beginning to its end.
    pub duration: i64,
    /// Whole seconds in which it was answered.
    pub billable: i64,
    /// What came of it.
    pub disposition: Disposition,
    /// Why it ended; none where the PBX does not tell.
    pub hangup_cause: Option<HangupCause>,
    /// The extensions that took part.
    pub extension_ids: Vec<ExtensionId>,
    /// Its recordings.
    pub recording_ids: Vec<RecordingId>,
}

/// Which calls a list asks for; what is absent does not restrict.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CallFilter {
    /// Begun at this time or later.
    pub from: Option<Timestamp>,
    /// Begun before this time.
    pub to: Option<Timestamp>,
    /// Only these.
    pub direction: Option<CallDirection>,
    /// Only those in which this extension took part.
    pub extension: Option<ExtensionId>,
    /// Only those from this number, or to it.
    pub number: Option<String>,
    /// Only those of which this came.
    pub disposition: Option<Disposition>,
}

impl CallFilter {
    /// Restricts the time; a span that ends before it begins is refused by the field's name.
    pub fn within(self, from: Option<Moment>, to: Option<Moment>) -> Result<Self, FieldErrors> {
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(FieldErrors::one("to", "must be later than `from`"));
        }
        Ok(Self {
            from: from.map(Moment::timestamp),
            to: to.map(Moment::timestamp),
            ..self
        })
    }
}

/// One page of calls, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallQuery {
    /// Which calls.
    pub filter: CallFilter,
    /// Behind which one; absent for the first page.
    pub after: Option<CallCursor>,
    /// How many at most.
    pub per_page: i64,
}

impl Default for CallQuery {
    fn default() -> Self {
        Self {
            filter: CallFilter::default(),
            after: None,
            per_page: PageRequest::default().per_page(),
        }
    }
}

/// The last call of a page; the next page begins behind it. Written as `<microseconds>-<uuid>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallCursor {
    /// When the call began, or the recording.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Calls, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallPage {
    /// The calls.
    pub calls: Vec<CallRecord>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<CallCursor>,
}

/// A time in which a PBX may have had calls of which nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallGap {
    /// Which PBX.
    pub instance_id: InstanceId,
    /// When the last was heard of it before.
    pub from: Timestamp,
    /// When it was heard of again.
    pub to: Timestamp,
}

impl CallGap {
    /// Whether no time lies between the two.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// From the beginning of the earlier one to the end of the later one.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            instance_id: self.instance_id,
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }
}

text_schema! {
    /// The `next_cursor` of the page before.
    CallCursor, { "pattern": "^[0-9]{1,19}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }
}

impl fmt::Display for CallCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.as_microsecond(), self.id.hyphenated())
    }
}

impl FromStr for CallCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || Invalid::new("must be the `next_cursor` of the page before");
        let (at, id) = text.split_once('-').ok_or_else(refused)?;
        let at = at.parse().map_err(|_| refused())?;
        Ok(Self {
            at: Timestamp::from_microsecond(at).map_err(|_| refused())?,
            id: Uuid::parse_str(id).map_err(|_| refused())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = CallCursor {
            at: "2026-11-20T10:00:00.123456Z".parse().unwrap(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[rstest]
    #[case("")]
    #[case("12")]
    #[case("x-0198c0de-0000-7000-8000-000000000001")]
    #[case("12-0198c0de")]
    #[case("9223372036854775807-0198c0de-0000-7000-8000-000000000001")]
    fn anything_else_is_no_cursor(#[case] text: &str) {
        assert!(text.parse::<CallCursor>().is_err());
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        let moment = |text: &str| Some(text.parse::<Moment>().unwrap());
        let (first, second) = (moment("2026-11-20T10:00:00Z"), moment("2026-11-20T10:00:01Z"));
        assert!(CallFilter::default().within(first, second).is_ok());
        let refused = CallFilter::default().within(second, first).unwrap_err();
        assert_eq!(refused.to_string(), "to must be later than `from`");
    }
}
