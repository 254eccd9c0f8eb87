//! Which entries of the audit log a list asks for, and where its pages begin.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::AuditRecord;
use super::ids::AuditId;
use super::invalid::{FieldErrors, Invalid};
use super::moment::Moment;
use super::page::PageRequest;
use super::parsed::{parsed_text, text_schema};

parsed_text! {
    /// An action or a kind of target, as entries name them: `extension.create`, `pbx_instance`.
    AuditWord, word, schema { "pattern": "^[a-z0-9._]{1,64}$" }
}

fn word(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err(Invalid::new("must have 1 to 64 of: a to z, 0 to 9, `.`, `_`"));
    }
    Ok(text.to_owned())
}

/// Which entries a list asks for; what is absent does not restrict.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AuditFilter {
    /// Only of this actor: by id, or by the name as it was then.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<AuditWord>,
    /// Only this kind of target.
    pub resource: Option<AuditWord>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
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

/// One page of the log, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditQuery {
    /// Which entries.
    pub filter: AuditFilter,
    /// Behind which one; absent for the first page.
    pub after: Option<AuditCursor>,
    /// How many at most.
    pub per_page: i64,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            filter: AuditFilter::default(),
            after: None,
            per_page: PageRequest::default().per_page(),
        }
    }
}

/// The last entry of a page; the next page begins behind it. Written as `<microseconds>-<uuid>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditCursor {
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's id.
    pub id: AuditId,
}

/// Entries, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditRecord>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<AuditCursor>,
}

text_schema! {
    /// The `next_cursor` of the page before.
    AuditCursor, { "pattern": "^[0-9]{1,19}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.as_microsecond(), self.id)
    }
}

impl FromStr for AuditCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || Invalid::new("must be the `next_cursor` of the page before");
        let (at, id) = text.split_once('-').ok_or_else(refused)?;
        let at = at
            .parse()
            .ok()
            .and_then(|micros| Timestamp::from_microsecond(micros).ok());
        let id = Uuid::parse_str(id).map_err(|_| refused())?;
        Ok(Self {
            at: at.ok_or_else(refused)?,
            id: AuditId::from_uuid(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = AuditCursor {
            at: "2026-11-20T10:00:00.123456Z".parse().unwrap(),
            id: "0198c0de-0000-7000-8000-000000000001".parse().unwrap(),
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
        assert!(text.parse::<AuditCursor>().is_err());
    }

    #[rstest]
    #[case("extension.create", true)]
    #[case("pbx_instance", true)]
    #[case("", false)]
    #[case("Extension", false)]
    #[case("a b", false)]
    #[case("a'--", false)]
    fn o61_a_word_is_written_as_entries_have_it(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<AuditWord>().is_ok(), good);
    }

    #[test]
    fn o61_a_span_ends_after_it_begins() {
        let moment = |text: &str| Some(text.parse::<Moment>().unwrap());
        let (first, second) = (moment("2026-11-20T10:00:00Z"), moment("2026-11-20T10:00:01Z"));
        let within = |from, to| AuditFilter::default().within(from, to);
        assert!(within(first, second).is_ok() && within(second, None).is_ok() && within(None, first).is_ok());
        for (from, to) in [(second, first), (first, first)] {
            let refused = within(from, to).unwrap_err();
            assert_eq!(refused.to_string(), "to must be later than `from`");
        }
    }
}
