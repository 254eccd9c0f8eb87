//! Rows of FusionPBX's table of calls, and the parts of calls that they tell of: by the same ids as the event of the hang-up, and
//! of less.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::call_part::{CallPart, EndedPart, Phone};
use crate::domain::call_text::{CallText, PbxCallId};
use crate::driver::event_socket::ended::disposition;
use crate::driver::feed::Untold;

/// The table.
pub const TABLE: &str = "v_xml_cdr";
/// A call that lasts longer is looked for in vain: its begin bounds what is read.
pub const LONGEST: Duration = Duration::from_hours(24);

/// The columns without which a row says too little.
pub const NEEDED: [&str; 11] = [
    "xml_cdr_uuid",
    "domain_uuid",
    "leg",
    "direction",
    "caller_id_number",
    "destination_number",
    "start_stamp",
    "answer_epoch",
    "end_epoch",
    "sip_call_id",
    "hangup_cause",
];
/// Those that a version may lack.
const MAY_LACK: [&str; 5] = [
    "domain_name",
    "caller_id_name",
    "caller_destination",
    "extension_uuid",
    "originating_leg_uuid",
];
/// More than is kept of any text.
const LONGEST_TEXT: u8 = 200;

/// A row, in words: what is written there may be anything.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CallRow {
    /// When the call began, in microseconds.
    at: i64,
    /// The leg's own id.
    id: Uuid,
    domain_id: Uuid,
    domain: Option<String>,
    leg: Option<String>,
    originating_leg: Option<String>,
    is_loopback: bool,
    direction: Option<String>,
    caller_number: Option<String>,
    caller_name: Option<String>,
    dialled: Option<String>,
    destination: Option<String>,
    is_extension: bool,
    is_caller: bool,
    /// The extension that was dialled, where one was.
    dialled_extension: Option<String>,
    extension: Option<String>,
    answered: Option<String>,
    ended: Option<String>,
    cause: Option<String>,
}

/// How texts are asked for, which may be of any length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Texts {
    /// As much of each as is kept.
    Cut,
    /// None where it may be more: PostgreSQL cannot cut what is no text in its own encoding, and refuses the page.
    Whole,
}

impl Texts {
    fn of(self, column: &str) -> String {
        match self {
            Self::Cut => format!("left(c.{column}::text, {LONGEST_TEXT})"),
            Self::Whole => {
                format!(
                    "(case when octet_length(c.{column}::text) <= {LONGEST_TEXT} then c.{column}::text end)"
                )
            }
        }
    }
}

/// The question for a page of rows, for a table that has these columns: `$1` the tenants, `$2` the earliest end and `$3` the
/// latest begin in seconds, `$4` and `$5` the place behind which it begins, `$6` how many rows.
///
/// The begin is asked for, since of all times it alone has an index, where FusionPBX has one.
pub fn question(texts: Texts, has: impl Fn(&str) -> bool) -> String {
    let text = |column: &str| {
        if MAY_LACK.contains(&column) && !has(column) {
            "null".to_owned()
        } else {
            texts.of(column)
        }
    };
    let longest = LONGEST.as_secs();
    // A half of a pair that FreeSWITCH made for itself has no call of SIP; what is behind it is of another call.
    let is_loopback = if has("originating_leg_uuid") {
        "coalesce(c.sip_call_id, '') = '' or exists (select 1 from v_xml_cdr o \
         where o.xml_cdr_uuid = c.originating_leg_uuid and coalesce(o.sip_call_id, '') = '')"
    } else {
        "coalesce(c.sip_call_id, '') = ''"
    };
    let extension = if has("extension_uuid") {
        "(select left(x.extension, 20) from v_extensions x where x.extension_uuid = c.extension_uuid \
         and x.domain_uuid = c.domain_uuid)"
    } else {
        "null"
    };
    format!(
        "select (extract(epoch from c.start_stamp) * 1000000)::bigint as at, c.xml_cdr_uuid as id, \
         c.domain_uuid as domain_id, coalesce(nullif({domain_name}, ''), left(d.domain_name, {LONGEST_TEXT})) as domain, \
         {leg} as leg, {originating} as originating_leg, ({is_loopback}) as is_loopback, {direction} as direction, \
         {number} as caller_number, {name} as caller_name, {dialled} as dialled, {destination} as destination, \
         exists (select 1 from v_extensions e where e.domain_uuid = c.domain_uuid \
         and e.extension = c.destination_number) as is_extension, \
         exists (select 1 from v_extensions e where e.domain_uuid = c.domain_uuid \
         and e.extension = c.caller_id_number) as is_caller, (select left(e.extension, 20) from v_extensions e \
         where e.domain_uuid = c.domain_uuid and e.extension = {dialled} limit 1) as dialled_extension, {extension} as extension, {answered} as answered, \
         {ended} as ended, {cause} as cause \
         from v_xml_cdr c left join v_domains d on d.domain_uuid = c.domain_uuid \
         where c.domain_uuid = any ($1) and c.start_stamp >= to_timestamp($2::bigint - {longest}) \
         and c.start_stamp <= to_timestamp($3::bigint) and (c.end_epoch >= $2::bigint or c.end_epoch is null) \
         and c.start_stamp >= timestamptz 'epoch' + $4::bigint * interval '1 microsecond' \
         and (c.start_stamp, c.xml_cdr_uuid) > (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid) \
         order by c.start_stamp, c.xml_cdr_uuid limit $6::bigint",
        domain_name = text("domain_name"),
        leg = text("leg"),
        originating = text("originating_leg_uuid"),
        direction = text("direction"),
        number = text("caller_id_number"),
        name = text("caller_id_name"),
        dialled = text("caller_destination"),
        destination = text("destination_number"),
        answered = text("answer_epoch"),
        ended = text("end_epoch"),
        cause = text("hangup_cause"),
    )
}

impl CallRow {
    /// The part of a call that it tells of, or why of none.
    pub fn part(&self) -> Result<EndedPart, Untold> {
        let originating = word(self.originating_leg.as_ref());
        // Whose call a leg is that was called, its originating one says alone; and a half of a pair is no call.
        if self.is_loopback {
            return Err(Untold::NoSip);
        }
        if self.leg.as_deref() == Some("b") && originating.is_none() {
            return Err(Untold::NoCaller);
        }
        let id = |id: &str| id.parse::<PbxCallId>().map_err(|_| Untold::NoId);
        let channel = id(&self.id.to_string())?;
        let call = match originating {
            Some(leg) => id(leg)?,
            None => channel.clone(),
        };
        let is_of_called = call != channel;
        let (started, answered, ended) = self.times().ok_or(Untold::NoTimes)?;
        let domain = word(self.domain.as_ref());
        let phone = |number: Option<&str>| Phone::of(number?, domain?);
        let extension = word(self.extension.as_ref());
        let destination = word(self.destination.as_ref());
        let dialled = word(self.dialled.as_ref())
            .filter(|_| !is_of_called)
            .or(destination);
        let bare = |number: Option<&'_ str>| number.map(|number| number.trim_start_matches('+').to_owned());
        let shown = word(self.caller_number.as_ref());
        // Where somebody has their own phone rung first, FusionPBX gives the number that is called then for the caller's.
        let direction = word(self.direction.as_ref());
        let is_dialled = shown.is_some() && [bare(dialled), bare(destination)].contains(&bare(shown));
        let is_clicked = is_dialled && direction != Some("inbound");
        // Of such a call that came to nothing FusionPBX tells no direction.
        let number = shown.filter(|_| !is_clicked && direction.is_some());
        // Who is called is what `extension_uuid` names, but where the call leaves: then it is who calls. A number that was
        // shown is a phone's within the domain alone, for a call that comes in and leaves again shows a stranger's.
        let is_forwarded = self.dialled_extension.is_some() && bare(dialled) != bare(destination);
        let (from, called) = match direction {
            _ if is_of_called || is_clicked => (None, destination.filter(|_| self.is_extension)),
            // Of one that was forwarded, FusionPBX names the extension that did so.
            Some("outbound") => (extension.filter(|_| !is_forwarded), None),
            Some("local") => (number.filter(|_| self.is_caller), extension),
            _ => (None, extension),
        };
        let leaves = direction == Some("outbound");
        let cause = word(self.cause.as_ref());
        Ok(EndedPart {
            call,
            names: std::iter::once(self.domain_id.to_string())
                .chain(domain.map(str::to_owned))
                .collect(),
            part: CallPart {
                key: channel.clone(),
                channel,
                caller: phone(from),
                called: phone(called),
                // Of the leg that left there may be no row: then the caller's own has to say it.
                left: if is_of_called { !self.is_extension } else { leaves },
                is_of_called,
                from_number: number.and_then(CallText::of),
                from_name: number.and(word(self.caller_name.as_ref())).and_then(CallText::of),
                to: dialled.and_then(CallText::of),
                started,
                answered,
                ended,
                disposition: disposition(answered.is_some(), cause, None),
                cause: cause.and_then(|cause| cause.parse().ok()),
            },
        })
    }

    /// When it began, was answered, and was over.
    fn times(&self) -> Option<(Timestamp, Option<Timestamp>, Timestamp)> {
        let started = Timestamp::from_microsecond(self.at).ok()?;
        let ended = second(word(self.ended.as_ref())?)?.max(started);
        if ended.duration_since(started) > SignedDuration::try_from(LONGEST).ok()? {
            return None;
        }
        let answered = match word(self.answered.as_ref()) {
            None => None,
            // FreeSWITCH's word for never.
            Some(text) if whole(text)? == 0 => None,
            Some(text) => Some(second(text)?.clamp(started, ended)),
        };
        Some((started, answered, ended))
    }
}

fn word(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// The whole of a number as PostgreSQL writes it, which may be none: `NaN`, `1e40`.
fn whole(text: &str) -> Option<i64> {
    let (whole, _) = text.split_once('.').unwrap_or((text, ""));
    whole.parse().ok()
}

fn second(text: &str) -> Option<Timestamp> {
    let seconds = whole(text).filter(|seconds| *seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests;
