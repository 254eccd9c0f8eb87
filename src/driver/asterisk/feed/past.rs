//! What Asterisk's own file of call records tells of a time in which nobody listened: `cdr-csv/Master.csv`.
//!
//! It tells enough where `cdr.conf` has `newcdrcolumns`, `loguniqueid` and `loguserfield`, and with `usegmtime` when each
//! call was.

use std::collections::{BTreeMap, BTreeSet};
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
/// How long a call may have waited for its first record's begin, in seconds: more is another time zone.
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
    "UserField",
    "",
    "LinkedID",
    "Sequence",
];

/// What is told of calls of which a part ended since then; `None` where the file is not there or does not tell enough.
/// `newest`: when the last part ended that Asterisk told by itself; a file that has it not is written no more.
pub fn read(path: &Path, since: Timestamp, newest: Option<Timestamp>) -> io::Result<Option<Past>> {
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
        0 => text.as_ref(),
        _ => text.split_once('\n').map_or("", |(_, rest)| rest),
    };
    Ok(told(text, since, newest))
}

fn told(text: &str, since: Timestamp, newest: Option<Timestamp>) -> Option<Past> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let parts: Vec<EndedPart> = reader
        .records()
        .filter_map(Result::ok)
        .filter_map(|record| part(&record))
        .collect();
    // In whole seconds.
    let before = since.as_second();
    // Asterisk tells all parts of a channel when that ends, also those that were over long before.
    let missed: BTreeSet<_> = parts
        .iter()
        .filter(|told| told.part.ended.as_second() >= before)
        .map(|told| told.call.clone())
        .collect();
    let (missed, earlier): (Vec<EndedPart>, Vec<EndedPart>) =
        parts.into_iter().partition(|told| missed.contains(&told.call));
    if !are_in_utc(&missed, &earlier) {
        return None;
    }
    let ends = || missed.iter().chain(&earlier).map(|told| told.part.ended);
    let has = |newest: Timestamp| ends().any(|ended| ended.as_second() >= newest.as_second());
    if missed.is_empty() && !newest.is_none_or(has) {
        return None;
    }
    let known_from = if ends().any(|ended| ended.as_second() < before) {
        None
    } else {
        // What was before its first record may have been put away.
        Some(ends().min()?)
    };
    Some(Past {
        parts: missed,
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
            "AnswerEpoch" if value.is_empty() => "0".to_owned(),
            "StartEpoch" | "EndEpoch" | "AnswerEpoch" => epoch(value)?,
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

/// A channel's id says in UTC when it began, which is when its first record does. That holds of each channel that was missed,
/// and of the file as a whole: where summer time is UTC or UTC is winter's, half of a year's file is right.
fn are_in_utc(missed: &[EndedPart], earlier: &[EndedPart]) -> bool {
    let mut waited: BTreeMap<&str, i64> = BTreeMap::new();
    for told in missed {
        if let Some((channel, seconds)) = waited_of(told) {
            let shortest = waited.entry(channel).or_insert(seconds);
            *shortest = seconds.min(*shortest);
        }
    }
    let all = missed.iter().chain(earlier).filter_map(waited_of);
    all.map(|(_, seconds)| seconds)
        .min()
        .is_some_and(|shortest| SAME_ZONE.contains(&shortest))
        && waited.values().all(|seconds| SAME_ZONE.contains(seconds))
}

/// How many seconds lie between the begin of a part's channel and its own.
fn waited_of(told: &EndedPart) -> Option<(&str, i64)> {
    let channel = told.part.channel.as_str();
    let (id, _) = channel.rsplit_once('.')?;
    let seconds = id.rsplit_once('-').map_or(id, |(_, seconds)| seconds);
    Some((
        channel,
        told.part.started.as_second() - seconds.parse::<i64>().ok()?,
    ))
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
        let past = told(&record, second(-60), None).unwrap();
        assert_eq!(past.known_from, Some(second(3)));
        assert_eq!(past.parts.len(), 1);
        let first = &past.parts[0].part;
        assert_eq!(
            (first.started, first.answered, first.ended),
            (second(0), Some(second(1)), second(3))
        );
        assert_eq!(first.from_name.as_ref().unwrap().as_str(), "Ann, =cmd");
        assert_eq!(first.key.as_str(), "1795911390.0:0");
        let later = told(&record, second(10), None).unwrap();
        assert_eq!((later.parts.len(), later.known_from), (0, None));
        assert_eq!(told(&record, second(10), Some(second(3))), Some(later));
    }

    /// A record of the channel that began in that second after the usual one, with the seconds of its begin and its end.
    fn line(began: i64, sequence: u32, times: (i64, i64)) -> String {
        let [start, end] = [times.0, times.1].map(|at| second(at).strftime("%Y-%m-%d %H:%M:%S").to_string());
        RECORD
            .replace("1795911390.0", &format!("{}.0", 1_795_911_390 + began))
            .replace("2026-11-29 HH:16:30", &start)
            .replace("2026-11-29 HH:16:31", &start)
            .replace("2026-11-29 HH:16:33", &end)
            .replace(",0\n", &format!(",{sequence}\n"))
    }

    #[test]
    fn a11_a_call_that_ended_in_the_gap_is_told_with_the_parts_that_were_over_before() {
        let transferred = [line(0, 0, (0, 60)), line(0, 1, (60, 1860))].concat();
        let other = line(-900, 0, (-900, -600));
        let past = told(&format!("{other}{transferred}"), second(1850), None).unwrap();
        let ends: Vec<Timestamp> = past.parts.iter().map(|told| told.part.ended).collect();
        assert_eq!(ends, [second(60), second(1860)]);
        assert_eq!(past.known_from, None);
    }

    #[test]
    fn a11_what_ended_in_the_second_from_which_on_is_asked_is_told() {
        let record = RECORD.replace("HH", "00");
        let within = second(3) + jiff::SignedDuration::from_millis(500);
        assert_eq!(told(&record, within, None).unwrap().parts.len(), 1);
    }

    #[test]
    fn a11_a_file_without_what_was_told_last_is_written_no_more() {
        let record = RECORD.replace("HH", "00");
        assert_eq!(told(&record, second(10), Some(second(4))), None);
        // What it has of the time that is asked for is told.
        assert!(told(&record, second(2), Some(second(4))).is_some());
    }

    #[test]
    fn a11_a_file_whose_winter_is_utc_is_not_believed_in_summer() {
        let winter = line(-9_000_000, 0, (-9_000_000, -8_999_990));
        // One hour later than it was.
        let summer = line(0, 0, (3600, 3610));
        assert!(told(&format!("{winter}{summer}"), second(-60), None).is_none());
        assert!(told(&format!("{winter}{}", line(0, 0, (0, 10))), second(-60), None).is_some());
    }

    #[rstest]
    #[case::another_zone(RECORD.replace("HH", "01"))]
    #[case::too_few_columns(RECORD.replace("HH", "00").replace(",\"acme.example.com\",\"1795911390.0\",0", ""))]
    #[case::nothing(String::new())]
    #[case::no_table("\u{0}\"\n\"\"\"".to_owned())]
    fn a11_what_does_not_tell_enough_is_not_believed(#[case] text: String) {
        assert!(told(&text, second(-60), None).is_none());
    }

    #[test]
    fn what_is_not_there_tells_nothing() {
        assert!(
            read(Path::new("/no/such/Master.csv"), second(0), None)
                .unwrap()
                .is_none()
        );
    }
}
