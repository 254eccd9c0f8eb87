//! What only the platform changes of a tenant: name, domain, PBX, time zone, limits, and what a suspension means.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::audit::{Changed, merged};
use super::error::AppError;
use super::patch::Patch;
use super::precondition::IfMatch;
use super::tenant_phones;
use super::tenant_status::{bad_transition, found};
use super::tenant_upkeep::{Behind, behind};
use super::tenants::former_domain;
use crate::auth::caller::Caller;
use crate::domain::digest::Digest;
use crate::domain::given::given;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::limits::{Limits, SessionTimeout};
use crate::domain::name::TenantName;
use crate::domain::permission::PlatformPermission;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{SuspensionPolicy, Tenant, TenantStatus};
use crate::domain::tenant_overview::TenantOverview;
use crate::domain::timezone::Timezone;
use crate::store::platform_tenants::{self, Whereabouts};
use crate::store::tenant_lifecycle::{self, Standing};
use crate::store::{Tx, domains, instances, tenant_overviews, tenants};

/// More is no limit that anybody would set.
const MOST: i64 = 1_000_000;

/// What is to change of a tenant; what is absent stays, and a limit that is `null` goes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantPatch {
    /// As people call it.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TenantName")]
    pub name: Option<String>,
    /// Its SIP domain; the one before stays an alias for 30 days.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "SipDomain")]
    pub domain: Option<String>,
    /// IANA.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Timezone")]
    pub timezone: Option<String>,
    /// The PBX that is to serve it.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "InstanceId")]
    pub pbx_instance_id: Option<String>,
    /// For how many minutes a session may rest.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "i64", range(min = 5, max = 1440))]
    pub session_timeout_minutes: Option<i64>,
    /// Active and invited users.
    #[schemars(with = "Option<i64>", range(min = 0, max = 1_000_000))]
    pub max_users: Patch<i64>,
    /// Extensions.
    #[schemars(with = "Option<i64>", range(min = 0, max = 1_000_000))]
    pub max_extensions: Patch<i64>,
    /// Calls at the same time.
    #[schemars(with = "Option<i64>", range(min = 0, max = 1_000_000))]
    pub max_concurrent_calls: Patch<i64>,
    /// What its phones may do while it is suspended.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "SuspensionPolicy")]
    pub suspension_policy: Option<String>,
}

/// All that the platform knows of a tenant.
pub struct TenantDetail {
    /// With what is counted of it.
    pub overview: TenantOverview,
    /// What it may have.
    pub limits: Limits,
    /// Its suspension.
    pub standing: Standing,
    /// Domains that it had before and that its phones may still sign in at.
    pub aliases: Vec<SipDomain>,
    /// Where it is live.
    pub whereabouts: Whereabouts,
    /// The instances that serve something else of it than its status says.
    pub behind: Vec<Behind>,
}

impl TenantDetail {
    /// Names the version of what is changed of it: what is counted of it makes no other one.
    #[must_use]
    pub fn tag(&self) -> String {
        tag(&self.overview.tenant, &self.limits, self.standing.policy)
    }
}

/// All that is known of one tenant.
pub async fn show(app: &App, caller: &Caller, id: TenantId) -> Result<TenantDetail, AppError> {
    caller.platform(PlatformPermission::TenantsRead)?;
    let mut tx = app.store.read("show_tenant").await?;
    detail(&mut tx, id).await
}

/// A tenant as it is being changed.
struct State {
    tenant: Tenant,
    limits: Limits,
    policy: SuspensionPolicy,
}

impl State {
    fn view(&self) -> Value {
        view(&self.tenant, &self.limits, self.policy)
    }
}

/// Changes a tenant; what was changed with what should be done about it.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: TenantId,
    patch: TenantPatch,
    if_match: &IfMatch,
) -> Result<(TenantDetail, Vec<String>), AppError> {
    let right = PlatformPermission::TenantsWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, Some(id), "change_tenant")
        .await?;
    let before = read(&mut tx, id).await?;
    if before.tenant.status == TenantStatus::Deleting {
        return Err(bad_transition(before.tenant.status));
    }
    let mut after = patched(&before, patch)?;
    if_match.check(&tag(&before.tenant, &before.limits, before.policy))?;
    let before_view = before.view();
    if before_view == after.view() {
        return Ok((detail(&mut tx, id).await?, Vec::new()));
    }
    after.tenant.updated_at = app.now();
    let mut warnings = Vec::new();
    if after.tenant.instance_id != before.tenant.instance_id {
        let to = instances::find(&mut tx, after.tenant.instance_id).await?;
        let to = to.ok_or_else(|| FieldErrors::one("pbx_instance_id", "must be the id of a PBX instance"))?;
        if !tenant_lifecycle::serving(&mut tx, id).await?.is_empty() {
            platform_tenants::set_moving(&mut tx, id).await?;
        }
        warnings.push(format!(
            "deploy {} first, then the instance that serves the tenant until now: that one serves its phones until {} is \
             proven to, and calls that are up there then go on until they end",
            to.name, to.name
        ));
    }
    let (old, new) = (&before.tenant.domain, &after.tenant.domain);
    // Before the rows of domains, as whoever proves a deploy takes them.
    platform_tenants::update(&mut tx, &after.tenant, &after.limits, after.policy).await?;
    if old != new {
        domains::drop_alias(&mut tx, id, new).await?;
        // An earlier version gave two of them one domain. To refuse it would keep them so.
        if !domains::put_alias(&mut tx, id, old).await? {
            warnings.push(format!(
                "{old} is kept for another tenant that had it before: from the deploy on that puts {new} live, no phone of this \
                 tenant signs in there; set them up for {new} before"
            ));
        }
    }
    warnings.extend(tenant_phones::told(&mut tx, &before.tenant, &after.tenant).await?);
    if old != new && domains::is_reserved(&mut tx, new, id).await? {
        return Err(former_domain());
    }
    let service = before.tenant.status.service(before.policy);
    let asked = app.have_followed(&mut tx, &caller, id, service).await?;
    let after_view = merged(after.view(), json!({"deployments": asked.deployments}));
    let entry = Changed {
        action: "tenant.change",
        resource: "tenant",
        target: id.to_string(),
        tenant_id: Some(id),
        before: Some(before_view),
        after: Some(after_view),
    };
    app.audit(&mut tx, &caller, entry)?;
    let detail = detail(&mut tx, id).await?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok((detail, warnings))
}

/// Refuses another version of a tenant than the one that a change is meant for.
pub(super) async fn check_version(tx: &mut Tx, id: TenantId, if_match: &IfMatch) -> Result<(), AppError> {
    let State {
        tenant,
        limits,
        policy,
    } = read(tx, id).await?;
    if_match.check(&tag(&tenant, &limits, policy))
}

/// Two changes in one microsecond that leave it as it was leave its tag, too.
fn tag(tenant: &Tenant, limits: &Limits, policy: SuspensionPolicy) -> String {
    let changed_at = tenant.updated_at.as_microsecond().to_string();
    let shown = view(tenant, limits, policy).to_string();
    let parts = [tenant.status.as_str(), &changed_at, &shown];
    Digest::of_parts(parts.map(str::as_bytes)).short()
}

async fn read(tx: &mut Tx, id: TenantId) -> Result<State, AppError> {
    let tenant = found(tx, id).await?;
    let limits = tenants::limits(tx, id).await?.ok_or(AppError::NotFound)?;
    let standing = tenant_lifecycle::standing(tx, id).await?;
    Ok(State {
        tenant,
        limits,
        policy: standing.ok_or(AppError::NotFound)?.policy,
    })
}

async fn detail(tx: &mut Tx, id: TenantId) -> Result<TenantDetail, AppError> {
    let missing = || AppError::NotFound;
    Ok(TenantDetail {
        overview: tenant_overviews::find(tx, id).await?.ok_or_else(missing)?,
        limits: tenants::limits(tx, id).await?.ok_or_else(missing)?,
        standing: tenant_lifecycle::standing(tx, id).await?.ok_or_else(missing)?,
        aliases: domains::aliases(tx, id).await?,
        whereabouts: platform_tenants::whereabouts(tx, id).await?,
        behind: behind(tx, id).await?,
    })
}

/// What the tenant would be, or every field that is wrong.
fn patched(before: &State, patch: TenantPatch) -> Result<State, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut tenant = before.tenant.clone();
    let mut limits = before.limits.clone();
    let mut policy = before.policy;
    replace(&mut errors, "name", patch.name, &mut tenant.name);
    replace(&mut errors, "domain", patch.domain, &mut tenant.domain);
    replace(&mut errors, "timezone", patch.timezone, &mut tenant.timezone);
    let instance: &mut InstanceId = &mut tenant.instance_id;
    replace(&mut errors, "pbx_instance_id", patch.pbx_instance_id, instance);
    replace(
        &mut errors,
        "suspension_policy",
        patch.suspension_policy,
        &mut policy,
    );
    if let Some(minutes) = patch.session_timeout_minutes
        && let Some(timeout) = errors.take("session_timeout_minutes", SessionTimeout::new(minutes))
    {
        limits.session_timeout_minutes = timeout;
    }
    for (field, wanted, limit) in [
        ("max_users", patch.max_users, &mut limits.max_users),
        ("max_extensions", patch.max_extensions, &mut limits.max_extensions),
        (
            "max_concurrent_calls",
            patch.max_concurrent_calls,
            &mut limits.max_concurrent_calls,
        ),
    ] {
        if matches!(wanted, Patch::Set(most) if !(0..=MOST).contains(&most)) {
            errors.add(field, "must be 0 to 1000000, or null for no limit");
        } else {
            *limit = wanted.over(*limit);
        }
    }
    errors.check()?;
    Ok(State {
        tenant,
        limits,
        policy,
    })
}

fn replace<T: std::str::FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &'static str,
    text: Option<String>,
    value: &mut T,
) {
    if let Some(parsed) = text.and_then(|text| errors.take(field, text.parse())) {
        *value = parsed;
    }
}

/// What an audit entry holds of a tenant.
fn view(tenant: &Tenant, limits: &Limits, policy: SuspensionPolicy) -> Value {
    json!({
        "name": tenant.name, "domain": tenant.domain, "timezone": tenant.timezone,
        "pbx_instance_id": tenant.instance_id, "suspension_policy": policy,
        "session_timeout_minutes": limits.session_timeout_minutes, "max_users": limits.max_users,
        "max_extensions": limits.max_extensions, "max_concurrent_calls": limits.max_concurrent_calls,
    })
}
