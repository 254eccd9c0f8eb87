//! Rows of tenants.

use std::time::Duration;

use uuid::Uuid;

use super::row::{Origin, name_key};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::domain::limits::{Limits, SessionTimeout};
use crate::domain::recording_notice::{RecordingNotice, SoundName};
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Service;
use crate::domain::tenant::Tenant;

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select id, name, domain, status, instance_id, timezone, recording, recording_notice, \
             recording_notice_sound, secrets_version, created_at, updated_at from tenants ",
            $($rest),+
        )
    };
}

/// What a PBX is to serve of a tenant, as [`TenantStatus::service`] says.
macro_rules! service {
    () => {
        "case when tenants.status = 'deleting' then 'gone' \
         when tenants.status = 'suspended' and tenants.suspension_policy = 'block_all' then 'blocked' else 'open' end"
    };
}

pub(super) use service;

/// Tenants of which something is not served as it stands: its head, its secrets, whether it is served.
macro_rules! pending {
    ($whose:literal) => {
        concat!(
            "select t.id, t.service, t.secrets_version, t.head_revision_id from \
             (select id, instance_id, secrets_version, head_revision_id, ",
            service!(),
            " as service from tenants) t \
             left join served s on s.instance_id = t.instance_id and s.tenant_id = t.id where ",
            $whose,
            " and ((t.service <> 'gone' and (s.tenant_id is null or t.head_revision_id is null \
             or t.head_revision_id <> s.revision_id or t.secrets_version <> s.secrets_version)) \
             or t.service <> s.service) order by t.id"
        )
    };
}

statements! {
    PENDING_OF_INSTANCE = pending!("t.instance_id = $1");
    PENDING = pending!("t.id = $1");
    INSERT = "insert into tenants (id, name, name_key, domain, status, instance_id, timezone, \
        recording, recording_notice, recording_notice_sound, secrets_version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    FIND = select!("where id = $1");
    FIND_BY_DOMAIN = select!("where domain = $1");
    STATES_OF_INSTANCE = concat!("select id, ", service!(), ", secrets_version, head_revision_id from tenants \
        where instance_id = $1 and status <> 'deleting' order by id");
    STATE = concat!("select id, ", service!(), ", secrets_version, head_revision_id from tenants where id = $1");
    ASSIGNED_TO = select!("where instance_id = $1 order by id");
    LIMITS = "select session_timeout_minutes, max_users, max_extensions, max_concurrent_calls from tenants \
        where id = $1";
    BUMP_SECRETS_VERSION = "update tenants set secrets_version = secrets_version + 1 \
        where id = $1 returning secrets_version";
    SET_HEAD_REVISION = "update tenants set head_revision_id = $2 where id = $1";
    FORGET_HEAD_REVISION = "update tenants set head_revision_id = null where id = $1";
    LOCK = "update tenants set updated_at = updated_at where id = $1";
    LIMIT_LOCKS = "select $1", postgres: "select set_config('lock_timeout', $1, true)";
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    name: String,
    domain: String,
    status: String,
    instance_id: Uuid,
    timezone: String,
    recording: String,
    recording_notice: String,
    recording_notice_sound: Option<String>,
    secrets_version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    pub(super) fn parse(self) -> Result<Tenant, StoreError> {
        let origin = Origin {
            table: "tenants",
            id: self.id,
        };
        Ok(Tenant {
            id: TenantId::from_uuid(self.id),
            name: origin.text("name", &self.name)?,
            domain: origin.text("domain", &self.domain)?,
            status: origin.text("status", &self.status)?,
            instance_id: InstanceId::from_uuid(self.instance_id),
            timezone: origin.text("timezone", &self.timezone)?,
            recording: origin.text("recording", &self.recording)?,
            notice: RecordingNotice {
                hearers: origin.text("recording_notice", &self.recording_notice)?,
                sound: self
                    .recording_notice_sound
                    .map(|sound| origin.text("recording_notice_sound", &sound))
                    .transpose()?,
            },
            secrets_version: self.secrets_version,
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

/// What of a tenant is read when rendering and is in no revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantState {
    /// Which tenant.
    pub id: TenantId,
    /// What of it is served.
    pub service: Service,
    /// Counts the changes of secrets.
    pub secrets_version: i64,
    /// The revision that its head equals; none where it was edited since one was taken.
    pub head_revision: Option<RevisionId>,
}

type StateRow = (Uuid, String, i64, Option<Uuid>);

fn state((id, service, secrets_version, head_revision): StateRow) -> Result<TenantState, StoreError> {
    Ok(TenantState {
        id: TenantId::from_uuid(id),
        service: Origin { table: "tenants", id }.text("status", &service)?,
        secrets_version,
        head_revision: head_revision.map(RevisionId::from_uuid),
    })
}

/// Adds a tenant. A domain that is taken is a conflict, an absent instance a bad reference.
pub async fn insert(tx: &mut Tx, tenant: &Tenant) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            tenant.id.uuid(),
            tenant.name.as_str(),
            name_key(tenant.name.as_str()),
            tenant.domain.as_str(),
            tenant.status.as_str(),
            tenant.instance_id.uuid(),
            tenant.timezone.as_str(),
            tenant.recording.as_str(),
            tenant.notice.hearers.as_str(),
            tenant.notice.sound.as_ref().map(SoundName::as_str),
            tenant.secrets_version,
            tenant.created_at.as_microsecond(),
            tenant.updated_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The tenant with this id.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The tenant with this SIP domain.
pub async fn find_by_domain(tx: &mut Tx, domain: &SipDomain) -> Result<Option<Tenant>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_BY_DOMAIN, domain.as_str()))?
        .map(Row::parse)
        .transpose()
}

/// The tenants that are assigned to an instance, also those that are being deleted.
pub async fn assigned_to(tx: &mut Tx, id: InstanceId) -> Result<Vec<Tenant>, StoreError> {
    run!(tx, fetch_all::<Row>(ASSIGNED_TO, id.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// What a tenant may have.
pub async fn limits(tx: &mut Tx, id: TenantId) -> Result<Option<Limits>, StoreError> {
    type Row = (i64, Option<i64>, Option<i64>, Option<i64>);
    let row = run!(tx, fetch_optional::<Row>(LIMITS, id.uuid()))?;
    let origin = Origin { table: "tenants", id };
    row.map(|(minutes, max_users, max_extensions, max_concurrent_calls)| {
        let session_timeout_minutes = SessionTimeout::new(minutes)
            .map_err(|invalid| origin.corrupt("session_timeout_minutes", invalid))?;
        Ok(Limits {
            session_timeout_minutes,
            max_users,
            max_extensions,
            max_concurrent_calls,
        })
    })
    .transpose()
}

/// The tenants that an instance is to serve, by id: those that are assigned to it and not being deleted.
pub async fn states_of_instance(tx: &mut Tx, id: InstanceId) -> Result<Vec<TenantState>, StoreError> {
    run!(tx, fetch_all::<StateRow>(STATES_OF_INSTANCE, id.uuid()))?
        .into_iter()
        .map(state)
        .collect()
}

/// Status, secrets' version and head revision of one tenant.
pub async fn state_of(tx: &mut Tx, id: TenantId) -> Result<Option<TenantState>, StoreError> {
    run!(tx, fetch_optional::<StateRow>(STATE, id.uuid()))?
        .map(state)
        .transpose()
}

/// The tenants of an instance that a deploy would change, or may: of one without a head revision only that it was
/// edited is known.
pub async fn pending_of_instance(tx: &mut Tx, id: InstanceId) -> Result<Vec<TenantState>, StoreError> {
    run!(tx, fetch_all::<StateRow>(PENDING_OF_INSTANCE, id.uuid()))?
        .into_iter()
        .map(state)
        .collect()
}

/// The same of one tenant; `None` where nothing is pending.
pub async fn pending(tx: &mut Tx, id: TenantId) -> Result<Option<TenantState>, StoreError> {
    run!(tx, fetch_optional::<StateRow>(PENDING, id.uuid()))?
        .map(state)
        .transpose()
}

/// Notes the revision that the head equals.
pub(super) async fn set_head_revision(
    tx: &mut Tx,
    id: TenantId,
    revision: RevisionId,
) -> Result<(), StoreError> {
    run!(tx, execute(SET_HEAD_REVISION, id.uuid(), revision.uuid()))?;
    Ok(())
}

/// To be called with every change of what a revision would hold.
pub(super) async fn forget_head_revision(tx: &mut Tx, id: TenantId) -> Result<(), StoreError> {
    run!(tx, execute(FORGET_HEAD_REVISION, id.uuid()))?;
    Ok(())
}

/// Counts a change of a secret; answers the new version.
pub async fn bump_secrets_version(tx: &mut Tx, id: TenantId) -> Result<Option<i64>, StoreError> {
    let version = run!(tx, fetch_optional::<(i64,)>(BUMP_SECRETS_VERSION, id.uuid()))?;
    Ok(version.map(|(version,)| version))
}

/// Keeps other transactions that lock the same tenant waiting until this one ends; false when there is no
/// such tenant.
///
/// An update that changes nothing, because SQLite has no `for update` (and needs none: it has one writer).
pub async fn lock(tx: &mut Tx, id: TenantId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(LOCK, id.uuid()))? == 1)
}

/// Has [`lock`] wait no longer than this from here on; none: as the database has it. Who waits in vain is told that it is busy.
/// SQLite knows one writer, for whom it waits so long as it is told when it is opened.
pub async fn limit_locks(tx: &mut Tx, longest: Option<Duration>) -> Result<(), StoreError> {
    let longest = longest.map(|longest| longest.as_millis().to_string());
    run!(tx, execute(LIMIT_LOCKS, longest)).map(drop)
}
