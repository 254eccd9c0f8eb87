//! The caller's own tenant: its settings, and what it uses of what it may have.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::precondition::{IfMatch, tag_of_settings};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::call::Freshness;
use crate::domain::given::given;
use crate::domain::ids::TenantId;
use crate::domain::invalid::FieldErrors;
use crate::domain::limits::{Limits, SessionTimeout};
use crate::domain::name::TenantName;
use crate::domain::permission::Permission;
use crate::domain::recording_notice::{NoticeFor, SoundName};
use crate::domain::tenant::{RecordingPolicy, Tenant, TenantSettings};
use crate::domain::tenant_overview::Files;
use crate::domain::timezone::Timezone;
use crate::store::{self, Tx, call_counts, tenant_overviews, tenant_settings, user_counts};

/// A tenant with what it may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// What it may have.
    pub limits: Limits,
}

impl OwnTenant {
    /// What it sets for itself.
    #[must_use]
    pub fn settings(&self) -> TenantSettings {
        TenantSettings {
            name: self.tenant.name.clone(),
            timezone: self.tenant.timezone.clone(),
            recording: self.tenant.recording,
            notice: self.tenant.notice.clone(),
            session_timeout_minutes: self.limits.session_timeout_minutes,
        }
    }
}

/// What a tenant changes of itself; what is absent stays.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnTenantInput {
    /// 3 to 50 characters.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TenantName")]
    pub name: Option<String>,
    /// IANA.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Timezone")]
    pub timezone: Option<String>,
    /// `by_extension`, `always` or `never`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "RecordingPolicy")]
    pub recording: Option<String>,
    /// `none`, `inbound` (callers that are no phones of the tenant) or `all`; to change it needs `compliance.write` besides.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "NoticeFor")]
    pub recording_notice: Option<String>,
    /// A sound of the PBX without its ending, such as `custom/recorded`: required as long as somebody hears it. To change it needs
    /// `compliance.write` besides.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "SoundName")]
    pub recording_notice_sound: Option<String>,
    /// 5 to 1440.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "SessionTimeout")]
    pub session_timeout_minutes: Option<i64>,
}

/// What a tenant has of each thing that may be limited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Active and invited users.
    pub users: i64,
    /// Extensions.
    pub extensions: i64,
    /// Calls that are up, and how well they are known; none where nothing was ever heard of them.
    pub concurrent_calls: Option<usize>,
    /// How well that is known.
    pub freshness: Freshness,
    /// Calls that are on record.
    pub calls: i64,
    /// Recordings; none where nobody looks for them.
    pub recordings: Option<Files>,
    /// When all but the calls that are up was counted.
    pub counted_at: Timestamp,
    /// What it may have.
    pub limits: Limits,
}

/// The caller's tenant.
pub async fn find(app: &App, caller: &Caller) -> Result<OwnTenant, AppError> {
    let tenant = caller.tenant(Permission::OrgSettingsRead, Act::Read)?;
    let mut tx = app.store.read("find_own_tenant").await?;
    own(&mut tx, tenant).await
}

/// Changes what a tenant sets for itself; a change that changes nothing leaves no trace.
///
/// What people are told of recording is changed by whoever may change that by its own route.
pub async fn change(
    app: &App,
    caller: &Caller,
    input: OwnTenantInput,
    if_match: &IfMatch,
) -> Result<OwnTenant, AppError> {
    caller.tenant(Permission::OrgSettingsWrite, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::OrgSettingsWrite, "change_own_tenant");
    let (mut tx, caller, tenant) = begun.await?;
    let there = own(&mut tx, tenant).await?;
    let before = there.settings();
    let after = input.onto(&before)?;
    if after.notice != before.notice && !caller.may(Permission::ComplianceWrite) {
        return Err(AppError::Lacks(Permission::ComplianceWrite));
    }
    if_match.check(&tag_of_settings(&before))?;
    if after == before {
        return Ok(there);
    }
    let now = app.now();
    tenant_settings::update(&mut tx, tenant, &before, &after, now).await?;
    let changed = Changed {
        action: "tenant.change",
        resource: "tenant",
        target: tenant.to_string(),
        tenant_id: Some(tenant),
        before: Some(json!(before)),
        after: Some(json!(after)),
    };
    app.audit(&mut tx, &caller, changed)?;
    let there = own(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(there)
}

/// What the caller's tenant uses of what it may have.
pub async fn usage(app: &App, caller: &Caller) -> Result<Usage, AppError> {
    let tenant = caller.tenant(Permission::OrgBilling, Act::Read)?;
    let mut tx = app.store.read("usage").await?;
    let own = own(&mut tx, tenant).await?;
    let overview = tenant_overviews::find(&mut tx, tenant).await?;
    let now = app.now();
    let (calls, freshness) = app.board.of_tenant(tenant, own.tenant.instance_id, now);
    Ok(Usage {
        users: user_counts::seats(&mut tx, tenant).await?,
        extensions: store::extensions::count(&mut tx, tenant).await?,
        concurrent_calls: freshness.as_of.map(|_| calls.len()),
        freshness,
        calls: call_counts::of_tenant(&mut tx, tenant).await?,
        recordings: overview.and_then(|overview| overview.files),
        counted_at: now,
        limits: own.limits,
    })
}

pub(super) async fn own(tx: &mut Tx, id: TenantId) -> Result<OwnTenant, AppError> {
    let tenant = store::tenants::find(tx, id).await?.ok_or(AppError::NotFound)?;
    let limits = store::tenants::limits(tx, id).await?.ok_or(AppError::NotFound)?;
    Ok(OwnTenant { tenant, limits })
}

impl OwnTenantInput {
    /// The settings as they become.
    fn onto(self, before: &TenantSettings) -> Result<TenantSettings, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut after = before.clone();
        if let Some(name) = self.name.and_then(|text| errors.take("name", text.parse())) {
            after.name = name;
        }
        if let Some(zone) = self
            .timezone
            .and_then(|text| errors.take("timezone", text.parse()))
        {
            after.timezone = zone;
        }
        if let Some(policy) = self
            .recording
            .and_then(|text| errors.take("recording", text.parse()))
        {
            after.recording = policy;
        }
        if let Some(hearers) = self
            .recording_notice
            .and_then(|text| errors.take("recording_notice", text.parse()))
        {
            after.notice.hearers = hearers;
        }
        if let Some(sound) = self
            .recording_notice_sound
            .and_then(|text| errors.take("recording_notice_sound", text.parse()))
        {
            after.notice.sound = Some(sound);
        }
        let is_read = errors
            .iter()
            .all(|(field, _)| !field.starts_with("recording_notice"));
        if is_read {
            after.notice.note_what_it_lacks(&mut errors);
        }
        if let Some(rest) = self
            .session_timeout_minutes
            .and_then(|minutes| errors.take("session_timeout_minutes", SessionTimeout::new(minutes)))
        {
            after.session_timeout_minutes = rest;
        }
        errors.check().map(|()| after)
    }
}
