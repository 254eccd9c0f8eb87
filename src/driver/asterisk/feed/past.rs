//! What Asterisk's own file of call records tells of a time in which nobody listened: `cdr-csv/Master.csv`.
//!
//! It tells enough where `cdr.conf` has `newcdrcolumns`, `loguniqueid` and `loguserfield`, and with `usegmtime` when each
//! call was.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::call_part::EndedPart;
use crate::driver::asterisk::ended::of_fields;
use crate::driver::feed::Past;

/// Where the file is, below Asterisk's directory of logs.
pub const FILE: &str = "cdr-csv/Master.csv";
/// The end of the file that is read: some 100,000 records.
const MOST: u64 = 32 * 1024 * 1024;
/// How long the longest of all calls may have waited for its first record's begin, in seconds: more is another time zone.
const SAME_ZONE: std::ops::RangeInclusive<i64> = -2..=60;

/// The columns in their order; those without a name are not read.
const COLUMNS: [&str; 21] = [
    "AccountCode",
    "Source",
    "Destination",
    "DestinationContext",
    "CallerID",
    "Channel",
    "DestinationChannel",
    "",
    "",
    "StartEpoch",
    "AnswerEpoch",
    "EndEpoch",
    "",
    "",
    "Disposition",
    "",
    "UniqueID",
    "",
    "",
    "LinkedID",
    "Sequence",
];

/// What is told of parts that ended since then; `None` where the file is not there or does not tell enough.
pub fn read(path: &Path, since: Timestamp) -> io::Result<Option<Past>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(MOST);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line may be the rest of one.
    let text = match begin {
        0 => &text[..],
        _ => text.split_once('\n').map_or("", |(_, rest)| rest),
    };
    Ok(told(text, since))
}

fn told(text: &str, since: Timestamp) -> Option<Past> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let parts: Vec<EndedPart> = reader
        .records()
        .filter_map(Result::ok)
        .filter_map(|record| part(&record))
        .collect();
    if !is_in_utc(&parts) {
        return None;
    }
    // In whole seconds.
    let before = since.as_second();
    let reaches_back = parts.iter().any(|told| told.part.ended.as_second() < before);
    let known_from = if reaches_back {
        None
    } else {
        // What was before its first record may have been put away.
        Some(parts.iter().map(|told| told.part.ended).min()?)
    };
    let missed = parts
        .into_iter()
        .filter(|told| told.part.ended.as_second() >= before);
    Some(Past {
        parts: missed.collect(),
        known_from,
    })
}

fn part(record: &StringRecord) -> Option<EndedPart> {
    if record.len() != COLUMNS.len() {
        return None;
    }
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in COLUMNS.into_iter().zip(record) {
        let value = match name {
            "StartEpoch" | "EndEpoch" => epoch(value)?,
            "AnswerEpoch" if value.is_empty() => "0".to_owned(),
            "AnswerEpoch" => epoch(value)?,
            _ => value.to_owned(),
        };
        fields.insert(name, value);
    }
    of_fields(&fields).ok()
}

/// `2026-11-29 00:16:30`, taken for UTC.
fn epoch(text: &str) -> Option<String> {
    let time: DateTime = text.replacen(' ', "T", 1).parse().ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp().as_second().to_string())
}

/// A channel's id says in UTC when it began, which is when its first record does.
fn is_in_utc(parts: &[EndedPart]) -> bool {
    let waited = parts.iter().filter_map(|told| {
        let (id, _) = told.part.channel.as_str().rsplit_once('.')?;
        let seconds = id.rsplit_once('-').map_or(id, |(_, seconds)| seconds);
        Some(told.part.started.as_second() - seconds.parse::<i64>().ok()?)
    });
    waited.min().is_some_and(|shortest| SAME_ZONE.contains(&shortest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// As Asterisk 22 writes it (measured), with the hour in the place of `HH`.
    const RECORD: &str = "\"acme.example.com\",\"1001\",\"1002\",\"acme.example.com\",\"\"\"Ann, =cmd\"\" <1001>\",\
        \"PJSIP/1001@acme.example.com-00000000\",\"PJSIP/1002@acme.example.com-00000001\",\"Dial\",\"PJSIP/x,5,i\",\
        \"2026-11-29 HH:16:30\",\"2026-11-29 HH:16:31\",\"2026-11-29 HH:16:33\",3,2,\"ANSWERED\",\"DOCUMENTATION\",\
        \"1795911390.0\",\"\",\"acme.example.com\",\"1795911390.0\",0\n";

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_911_390 + second).unwrap()
    }

    #[test]
    fn a11_what_ended_since_is_told_and_from_when_on_that_is_all() {
        let record = RECORD.replace("HH", "00");
        let past = told(&record, second(-60)).unwrap();
        assert_eq!(past.known_from, Some(second(3)));
        assert_eq!(past.parts.len(), 1);
        let part = &past.parts[0].part;
        assert_eq!(
            (part.started, part.answered, part.ended),
            (second(0), Some(second(1)), second(3))
        );
        assert_eq!(part.from_name.as_ref().unwrap().as_str(), "Ann, =cmd");
        assert_eq!(part.key.as_str(), "1795911390.0:0");
        let later = told(&record, second(10)).unwrap();
        assert_eq!((later.parts.len(), later.known_from), (0, None));
    }

    #[rstest]
    #[case::another_zone(RECORD.replace("HH", "01"))]
    #[case::too_few_columns(RECORD.replace("HH", "00").replace(",\"acme.example.com\",\"1795911390.0\",0", ""))]
    #[case::nothing(String::new())]
    #[case::no_table("\u{0}\"\n\"\"\"".to_owned())]
    fn a11_what_does_not_tell_enough_is_not_believed(#[case] text: String) {
        assert!(told(&text, second(-60)).is_none());
    }

    #[test]
    fn what_is_not_there_tells_nothing() {
        assert!(
            read(Path::new("/no/such/Master.csv"), second(0))
                .unwrap()
                .is_none()
        );
    }
}
