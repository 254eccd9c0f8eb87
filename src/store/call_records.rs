//! Calls that are over, one tenant's at a time: kept part by part, as often as they are told, and listed newest first.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, ids, to_json, until};
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::call_part::{CallPart, WholeCall};
use crate::domain::call_record::{CallCursor, CallFilter, CallPage, CallQuery, CallRecord};
use crate::domain::call_text::{CallText, HangupCause, PbxCallId};
use crate::domain::ids::{CallRecordId, ExtensionId, InstanceId, RecordingId, TenantId, UserId};

/// More parts than any call has; of more, those that say least are left out.
pub const MOST_PARTS: usize = 200;

/// Whose calls somebody may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// All of the tenant.
    All,
    /// Those in which this user's extension took part: none where it is nobody, such as a program.
    Own(Option<UserId>),
}

impl Seen {
    /// The user to ask for; none for all.
    pub(super) fn user(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Own(user) => Some(user.map_or(Uuid::nil(), UserId::uuid)),
        }
    }
}

macro_rules! select {
    ($($which:expr),+ $(,)?) => {
        concat!(
            "select r.id, r.tenant_id, r.instance_id, r.call, r.from_number, r.from_name, r.to_number, r.direction, \
             r.started_at, r.answered_at, r.ended_at, r.duration, r.billable, r.disposition, r.hangup_cause, \
             (select string_agg(hex(e.extension_id), ' ') from call_record_extensions e where e.record_id = r.id) \
             as extensions, \
             (select string_agg(hex(f.id), ' ') from call_record_parts p cross join recordings f \
             where p.record_id = r.id and f.channel = p.channel and f.tenant_id = r.tenant_id \
             and f.instance_id = r.instance_id) as recordings ",
            $($which),+
        )
    };
}

pub(super) use select;

/// A page of those that are found from here on, in this order. What belongs to a call is looked up for those of the page alone.
macro_rules! page {
    ($($which:expr),+) => {
        select!("from (", $($which),+, " limit $9) r order by r.started_at desc, r.id desc")
    };
}

macro_rules! found {
    ($($from:expr),+) => {
        concat!("select r.* ", $($from),+, " and r.started_at >= $2 and r.started_at < $3 \
            and (r.direction = $4 or $4 is null) and (r.disposition = $6 or $6 is null) \
            and (r.started_at < $7 or (r.started_at = $7 and r.id < $8))")
    };
}

macro_rules! list {
    ($from:literal) => {
        page!(
            found!(
                $from,
                " and (r.from_number = $5 or r.to_number = $5 or $5 is null)"
            ),
            " order by r.started_at desc, r.id desc"
        )
    };
}

// Of two indexes that bound the time SQLite takes the one with fewer columns, and would read all of the tenant's calls.
macro_rules! list_of_number {
    ($by_caller:literal, $by_called:literal) => {
        page!(
            found!($by_caller, " where r.tenant_id = $1 and r.from_number = $5"),
            " union all ",
            found!(
                $by_called,
                " where r.tenant_id = $1 and r.to_number = $5 \
                and (r.from_number <> $5 or r.from_number is null)"
            ),
            " order by started_at desc, id desc"
        )
    };
}

statements! {
    INSERT = "insert into call_records (id, tenant_id, instance_id, call, from_number, from_name, to_number, direction, \
        started_at, answered_at, ended_at, duration, billable, disposition, hangup_cause) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
        on conflict (instance_id, call, tenant_id) do nothing";
    LOCK = "select id, erased from call_records where instance_id = $1 and call = $2 and tenant_id = $3", 0, " for update";
    PUT_PART = "insert into call_record_parts (record_id, part, channel, told) \
        select r.id, $2, $3, $4 from call_records r where r.id = $1 and r.tenant_id = $5 \
        on conflict (record_id, part) do update set channel = excluded.channel, told = excluded.told";
    ADD_PART = "insert into call_record_parts (record_id, part, channel, told) \
        select r.id, $2, $3, $4 from call_records r where r.id = $1 and r.tenant_id = $5 \
        on conflict (record_id, part) do nothing";
    PARTS = "select p.told from call_record_parts p join call_records r on r.id = p.record_id \
        where r.id = $1 and r.tenant_id = $2 order by p.part";
    DROP_PART = "delete from call_record_parts where part = $2 \
        and record_id in (select id from call_records where id = $1 and tenant_id = $3)";
    UPDATE = "update call_records set from_number = $2, from_name = $3, to_number = $4, direction = $5, started_at = $6, \
        answered_at = $7, ended_at = $8, duration = $9, billable = $10, disposition = $11, hangup_cause = $12 \
        where id = $1 and tenant_id = $13";
    NUMBERED = "select id from extensions where tenant_id = $1 and number = $2";
    TAKE_BACK = "delete from call_record_extensions where record_id = $1 \
        and extension_id in (select id from extensions where tenant_id = $2)";
    TOOK_PART = "insert into call_record_extensions (record_id, extension_id) values {rows} on conflict do nothing", 2;
    FIND = select!("from call_records r where r.tenant_id = $1 and r.id = $2 and (exists (select 1 \
        from call_record_extensions e join users u on u.extension_id = e.extension_id where e.record_id = r.id \
        and u.id = $3 and u.tenant_id = r.tenant_id) or $3 is null)");
    LIST = list!("from call_records r where r.tenant_id = $1");
    LIST_OF_NUMBER = list_of_number!("from call_records r indexed by call_records_by_caller",
        "from call_records r indexed by call_records_by_called"),
        postgres: list_of_number!("from call_records r", "from call_records r");
    LIST_OF = list!("from call_record_extensions o cross join call_records r where o.extension_id = $10 \
        and r.id = o.record_id and r.tenant_id = $1");
    LIST_OWN = list!("from users u cross join call_record_extensions o cross join call_records r where u.id = $10 \
        and u.tenant_id = $1 and o.extension_id = u.extension_id and r.id = o.record_id and r.tenant_id = $1 \
        and (exists (select 1 from call_record_extensions x \
        where x.record_id = r.id and x.extension_id = $11) or $11 is null)");
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    tenant_id: Uuid,
    instance_id: Uuid,
    call: String,
    from_number: Option<String>,
    from_name: Option<String>,
    to_number: Option<String>,
    direction: String,
    started_at: i64,
    answered_at: Option<i64>,
    ended_at: i64,
    duration: i64,
    billable: i64,
    disposition: String,
    hangup_cause: Option<String>,
    extensions: Option<String>,
    recordings: Option<String>,
}

impl Row {
    pub(super) fn parse(self) -> Result<CallRecord, StoreError> {
        let origin = Origin {
            table: "call_records",
            id: self.id,
        };
        let text = |column: &str, text: Option<&str>| -> Result<Option<CallText>, StoreError> {
            text.map(|text| origin.text(column, text)).transpose()
        };
        Ok(CallRecord {
            id: CallRecordId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            instance_id: InstanceId::from_uuid(self.instance_id),
            call: origin.text("call", &self.call)?,
            from_number: text("from_number", self.from_number.as_deref())?,
            from_name: text("from_name", self.from_name.as_deref())?,
            to_number: text("to_number", self.to_number.as_deref())?,
            direction: origin.text("direction", &self.direction)?,
            started_at: origin.time("started_at", self.started_at)?,
            answered_at: self
                .answered_at
                .map(|at| origin.time("answered_at", at))
                .transpose()?,
            ended_at: origin.time("ended_at", self.ended_at)?,
            duration: self.duration,
            billable: self.billable,
            disposition: origin.text("disposition", &self.disposition)?,
            hangup_cause: self
                .hangup_cause
                .as_deref()
                .map(|cause| origin.text::<HangupCause>("hangup_cause", cause))
                .transpose()?,
            extension_ids: ids(self.extensions.as_deref(), ExtensionId::from_uuid),
            recording_ids: ids(self.recordings.as_deref(), RecordingId::from_uuid),
        })
    }
}

/// Which call a part is of.
#[derive(Clone, Copy)]
pub struct OfCall<'a> {
    /// The id that its record gets if there is none yet.
    pub id: CallRecordId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it was.
    pub instance: InstanceId,
    /// By which the PBX knows it.
    pub call: &'a PbxCallId,
    /// Whether the part is told less exactly than it may be known.
    pub is_rough: bool,
}

/// Keeps a part of a call, and makes the call's record of all that is known of it: told again, it changes nothing. Of a call that
/// somebody was taken out of nothing more is kept. `is_own`: whether a domain is the tenant's.
pub async fn keep(
    tx: &mut Tx,
    of: OfCall<'_>,
    part: &CallPart,
    is_own: impl Fn(&str) -> bool,
) -> Result<CallRecordId, StoreError> {
    let (instance, call, tenant) = (of.instance.uuid(), of.call.as_str(), of.tenant.uuid());
    let origin = Origin {
        table: "call_records",
        id: of.id,
    };
    if let Some(first) = WholeCall::of(std::slice::from_ref(part), &is_own) {
        insert(tx, of, &first).await?;
    }
    // Two that tell of one call at once do so one after the other from here on.
    let Some((id, is_erased)) = run!(tx, fetch_optional::<(Uuid, bool)>(LOCK, instance, call, tenant))?
    else {
        return Err(origin.corrupt("id", "it is gone"));
    };
    if is_erased {
        return Ok(CallRecordId::from_uuid(id));
    }
    let told = to_json("call_record_parts.told", part)?;
    let statement = if of.is_rough { ADD_PART } else { PUT_PART };
    let (key, channel) = (part.key.as_str(), part.channel.as_str());
    run!(tx, execute(statement, id, key, channel, told, tenant))?;
    let mut parts = parts(tx, of.tenant, id).await?;
    if parts.len() > MOST_PARTS
        && let Some(key) = CallPart::most_dispensable(&parts).map(|part| part.key.clone())
    {
        run!(tx, execute(DROP_PART, id, key.as_str(), tenant))?;
        parts.retain(|part| part.key != key);
    }
    let Some(whole) = WholeCall::of(&parts, is_own) else {
        return Err(origin.corrupt("id", "it has no parts"));
    };
    update(tx, of.tenant, id, &whole).await?;
    let mut extensions = Vec::new();
    for number in &whole.numbers {
        let found = run!(tx, fetch_optional::<(Uuid,)>(NUMBERED, tenant, number.as_str()))?;
        extensions.extend(found.map(|(extension,)| extension));
    }
    // Whoever is there and is not named by now was taken for another. Of one that is gone nothing else would tell.
    run!(tx, execute(TAKE_BACK, id, tenant))?;
    if !extensions.is_empty() {
        insert_rows!(tx, TOOK_PART, extensions, |extension| (id, *extension))?;
    }
    Ok(CallRecordId::from_uuid(id))
}

async fn insert(tx: &mut Tx, of: OfCall<'_>, whole: &WholeCall) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            of.id.uuid(),
            of.tenant.uuid(),
            of.instance.uuid(),
            of.call.as_str(),
            whole.from_number.as_ref().map(CallText::as_str),
            whole.from_name.as_ref().map(CallText::as_str),
            whole.to.as_ref().map(CallText::as_str),
            whole.direction.as_str(),
            whole.started.as_microsecond(),
            whole.answered.map(Timestamp::as_microsecond),
            whole.ended.as_microsecond(),
            whole.duration,
            whole.billable,
            whole.disposition.as_str(),
            whole.cause.as_ref().map(HangupCause::as_str),
        )
    )?;
    Ok(())
}

async fn update(tx: &mut Tx, tenant: TenantId, id: Uuid, whole: &WholeCall) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            UPDATE,
            id,
            whole.from_number.as_ref().map(CallText::as_str),
            whole.from_name.as_ref().map(CallText::as_str),
            whole.to.as_ref().map(CallText::as_str),
            whole.direction.as_str(),
            whole.started.as_microsecond(),
            whole.answered.map(Timestamp::as_microsecond),
            whole.ended.as_microsecond(),
            whole.duration,
            whole.billable,
            whole.disposition.as_str(),
            whole.cause.as_ref().map(HangupCause::as_str),
            tenant.uuid(),
        )
    )?;
    Ok(())
}

async fn parts(tx: &mut Tx, tenant: TenantId, id: Uuid) -> Result<Vec<CallPart>, StoreError> {
    let origin = Origin {
        table: "call_record_parts",
        id,
    };
    let rows = run!(tx, fetch_all::<(RawJson,)>(PARTS, id, tenant.uuid()))?;
    rows.iter().map(|(told,)| origin.json("told", told)).collect()
}

/// One call of the tenant, if it may be seen.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    seen: Seen,
    id: CallRecordId,
) -> Result<Option<CallRecord>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid(), seen.user())
    )?
    .map(Row::parse)
    .transpose()
}

/// One page of the calls of the tenant that match and may be seen, newest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    seen: Seen,
    query: &CallQuery,
) -> Result<CallPage, StoreError> {
    let CallFilter {
        from,
        to,
        direction,
        extension,
        number,
        disposition,
    } = &query.filter;
    // Without a cursor: behind a call that is newer than all.
    let (at, id) = query.after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let from = from.map_or(i64::MIN, Timestamp::as_microsecond);
    let to = until(*to, at);
    let extension = extension.map(ExtensionId::uuid);
    // One row more than was asked for tells whether there is a next page.
    macro_rules! rows {
        ($statement:expr $(, $more:expr)*) => {
            run!(
                tx,
                fetch_all::<Row>(
                    $statement,
                    tenant.uuid(),
                    from,
                    to,
                    direction.map(|direction| direction.as_str()),
                    number.as_deref(),
                    disposition.map(|disposition| disposition.as_str()),
                    at,
                    id,
                    query.per_page + 1
                    $(, $more)*
                )
            )?
        };
    }
    let rows = match (seen.user(), extension) {
        (None, None) if number.is_some() => rows!(LIST_OF_NUMBER),
        (None, None) => rows!(LIST),
        (None, Some(extension)) => rows!(LIST_OF, extension),
        (Some(user), extension) => rows!(LIST_OWN, user, extension),
    };
    let mut calls = rows.into_iter().map(Row::parse).collect::<Result<Vec<_>, _>>()?;
    let per_page = usize::try_from(query.per_page).unwrap_or(usize::MAX);
    let more = calls.len() > per_page;
    calls.truncate(per_page);
    let next = calls.last().filter(|_| more).map(|last| CallCursor {
        at: last.started_at,
        id: last.id.uuid(),
    });
    Ok(CallPage { calls, next })
}
