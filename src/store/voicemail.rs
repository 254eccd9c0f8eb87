//! Messages in mail boxes, one tenant's at a time: what was found of each on its PBX.

use jiff::Timestamp;
use uuid::Uuid;

use super::exports::bounds;
use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_text::CallText;
use crate::domain::dial::{DialNumber, ExtensionNumber};
use crate::domain::export::Span;
use crate::domain::ids::{InstanceId, TenantId, VoicemailId};
use crate::domain::purge::{Amount, PurgeCursor};
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{FoundMessage, PbxMessageId, Voicemail, VoicemailQuery};

macro_rules! select {
    ($index:literal, $which:literal) => {
        concat!(
            "select id, tenant_id, instance_id, domain, mailbox, message, folder, left_at, caller, seconds, bytes \
             from voicemail_messages",
            $index,
            " where ",
            $which
        )
    };
}

macro_rules! old {
    ($index:literal) => {
        select!(
            $index,
            "tenant_id = $1 and instance_id = $2 and left_at < $3 and left_at >= $4 and (left_at > $4 or id > $5) \
             order by left_at, id limit $6"
        )
    };
}

statements! {
    PLACE = "select voicemail_place from instances where id = $1";
    SET_PLACE = "update instances set voicemail_place = $2 where id = $1";
    PUT = "insert into voicemail_messages (id, tenant_id, instance_id, domain, mailbox, message, folder, left_at, caller, \
        seconds, bytes) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
        on conflict (instance_id, domain, mailbox, message) do update set folder = excluded.folder, \
        left_at = excluded.left_at, caller = excluded.caller, seconds = excluded.seconds, bytes = excluded.bytes";
    OF_DOMAIN = select!("", "instance_id = $1 and domain = $2 order by mailbox, message");
    DOMAINS = "select distinct tenant_id, domain from voicemail_messages where instance_id = $1 order by domain, tenant_id";
    DELETE = "delete from voicemail_messages where tenant_id = $1 and id = $2";
    PLACES = "select i.id from instances i where exists (select 1 from voicemail_messages m where m.tenant_id = $1 \
        and m.instance_id = i.id and m.left_at < $2) order by i.id";
    COUNT = "select count(*), cast(coalesce(sum(bytes), 0) as bigint) from voicemail_messages \
        where tenant_id = $1 and instance_id = $2 and left_at < $3";
    // Else SQLite goes through those of all PBXs.
    OLD = old!(" indexed by voicemail_by_place"), postgres: old!("");
    FIND = select!("", "tenant_id = $1 and id = $2");
    // By their ids, which never change: when one was left does where its text can be read at last.
    BEHIND = select!("", "tenant_id = $1 and id < $2 order by id desc limit $3");
    LEFT_IN = "select id from voicemail_messages where tenant_id = $1 and mailbox = $2 and left_at >= $3 and left_at < $4";
    LEFT_BY_OR_IN = "select id from voicemail_messages where tenant_id = $1 and mailbox = $2 and left_at >= $3 and left_at < $4 \
        union select id from voicemail_messages where tenant_id = $1 and caller = $2 and left_at >= $3 and left_at < $4";
    LIST = select!("", "tenant_id = $1 and (mailbox = $2 or $2 is null) and (caller = $3 or $3 is null) \
        and left_at >= $4 and (left_at > $4 or id > $5) order by left_at, id limit $6");
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    instance_id: Uuid,
    domain: String,
    mailbox: String,
    message: String,
    folder: String,
    left_at: i64,
    caller: Option<String>,
    seconds: Option<i64>,
    bytes: i64,
}

impl Row {
    fn parse(self) -> Result<Voicemail, StoreError> {
        let origin = Origin {
            table: "voicemail_messages",
            id: self.id,
        };
        let caller = self.caller.map(|caller| origin.text("caller", &caller));
        Ok(Voicemail {
            id: VoicemailId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            instance_id: InstanceId::from_uuid(self.instance_id),
            domain: origin.text("domain", &self.domain)?,
            found: FoundMessage {
                mailbox: origin.text("mailbox", &self.mailbox)?,
                folder: origin.text("folder", &self.folder)?,
                id: origin.text("message", &self.message)?,
                left_at: origin.time("left_at", self.left_at)?,
                caller: caller.transpose()?,
                seconds: self.seconds,
                bytes: self.bytes,
            },
        })
    }
}

/// Which directory the mail boxes of an instance are in; none where none was ever looked at.
pub async fn place(tx: &mut Tx, instance: InstanceId) -> Result<Option<String>, StoreError> {
    let found = run!(tx, fetch_optional::<(Option<String>,)>(PLACE, instance.uuid()))?;
    Ok(found.and_then(|(place,)| place))
}

/// Keeps that.
pub async fn set_place(tx: &mut Tx, instance: InstanceId, place: &str) -> Result<(), StoreError> {
    run!(tx, execute(SET_PLACE, instance.uuid(), place))?;
    Ok(())
}

/// Keeps a message that was found, or what has become of it; whose it is never changes.
pub async fn put(
    tx: &mut Tx,
    id: VoicemailId,
    tenant: TenantId,
    instance: InstanceId,
    domain: &SipDomain,
    found: &FoundMessage,
) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            PUT,
            id.uuid(),
            tenant.uuid(),
            instance.uuid(),
            domain.as_str(),
            found.mailbox.as_str(),
            found.id.as_str(),
            found.folder.as_str(),
            found.left_at.as_microsecond(),
            found.caller.as_ref().map(CallText::as_str),
            found.seconds,
            found.bytes,
        )
    )?;
    Ok(())
}

/// All that are known of a domain on an instance, whoever has it.
pub async fn of_domain(
    tx: &mut Tx,
    instance: InstanceId,
    domain: &SipDomain,
) -> Result<Vec<Voicemail>, StoreError> {
    let rows = run!(tx, fetch_all::<Row>(OF_DOMAIN, instance.uuid(), domain.as_str()))?;
    rows.into_iter().map(Row::parse).collect()
}

/// The domains of which some are known on an instance, each with whose they are.
pub async fn domains(tx: &mut Tx, instance: InstanceId) -> Result<Vec<(TenantId, SipDomain)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, String)>(DOMAINS, instance.uuid()))?;
    let parse = |(tenant, domain): (Uuid, String)| {
        let origin = Origin {
            table: "voicemail_messages",
            id: tenant,
        };
        Ok((TenantId::from_uuid(tenant), origin.text("domain", &domain)?))
    };
    rows.into_iter().map(parse).collect()
}

/// Forgets one; false where it is not known.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: VoicemailId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))? == 1)
}

/// The PBXs on which messages lie that were left before that.
pub async fn places(tx: &mut Tx, tenant: TenantId, before: Timestamp) -> Result<Vec<InstanceId>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(PLACES, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect())
}

/// How many there are on a PBX that were left before that.
pub async fn count(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    before: Timestamp,
) -> Result<Amount, StoreError> {
    let (found, bytes) = run!(
        tx,
        fetch_one::<(i64, i64)>(COUNT, tenant.uuid(), instance.uuid(), before.as_microsecond())
    )?;
    Ok(Amount { found, bytes })
}

/// The oldest of them on a PBX behind one of them, up to so many.
pub async fn old(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    before: Timestamp,
    after: Option<PurgeCursor>,
    most: i64,
) -> Result<Vec<Voicemail>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |after| (after.at, after.id));
    let rows = run!(
        tx,
        fetch_all::<Row>(
            OLD,
            tenant.uuid(),
            instance.uuid(),
            before.as_microsecond(),
            at,
            id,
            most
        )
    )?;
    rows.into_iter().map(Row::parse).collect()
}

/// The tenant's message with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: VoicemailId) -> Result<Option<Voicemail>, StoreError> {
    let row = run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?;
    row.map(Row::parse).transpose()
}

/// The tenant's messages that a query asks for, oldest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    query: &VoicemailQuery,
) -> Result<Vec<Voicemail>, StoreError> {
    let (at, id) = query
        .after
        .map_or((i64::MIN, Uuid::nil()), |after| (after.at, after.id));
    let rows = run!(
        tx,
        fetch_all::<Row>(
            LIST,
            tenant.uuid(),
            query.mailbox.as_ref().map(ExtensionNumber::as_str),
            query.caller.as_ref().map(CallText::as_str),
            at,
            id,
            query.most,
        )
    )?;
    rows.into_iter().map(Row::parse).collect()
}

/// The next messages of the tenant, behind an id, newest first by their ids.
pub async fn behind(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<VoicemailId>,
    most: usize,
) -> Result<Vec<Voicemail>, StoreError> {
    let after = after.map_or(Uuid::max(), VoicemailId::uuid);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = run!(tx, fetch_all::<Row>(BEHIND, tenant.uuid(), after, most))?;
    rows.into_iter().map(Row::parse).collect()
}

/// The tenant's messages in a mail box that were left in this time.
pub async fn left_in(
    tx: &mut Tx,
    tenant: TenantId,
    mailbox: &ExtensionNumber,
    within: Span,
) -> Result<Vec<VoicemailId>, StoreError> {
    let (from, to) = bounds(within);
    let mailbox = mailbox.as_str();
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(LEFT_IN, tenant.uuid(), mailbox, from, to)
    )?;
    Ok(ids(rows))
}

/// The tenant's messages that were left in this time by callers who showed a number, or in the mail box of that number.
pub async fn left_by_or_in(
    tx: &mut Tx,
    tenant: TenantId,
    number: &DialNumber,
    within: Span,
) -> Result<Vec<VoicemailId>, StoreError> {
    let (from, to) = bounds(within);
    let number = number.as_str();
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(LEFT_BY_OR_IN, tenant.uuid(), number, from, to)
    )?;
    Ok(ids(rows))
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<VoicemailId> {
    rows.into_iter().map(|(id,)| VoicemailId::from_uuid(id)).collect()
}

/// A message by what its PBX knows it by, as it is noted before it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessagePlace {
    /// Its id.
    pub id: VoicemailId,
    /// The context of its mail box.
    pub domain: SipDomain,
    /// Its mail box.
    pub mailbox: ExtensionNumber,
    /// By which the PBX knows it.
    pub message: PbxMessageId,
    /// How long its files are.
    pub bytes: i64,
    /// When it was left.
    pub left_at: Timestamp,
}
