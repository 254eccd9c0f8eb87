//! A new tenant with the owner who is invited to it: both, the invitation and the audit entry, or none.

use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use super::error::AppError;
use super::invitations::Invitation;
use super::platform_users::member;
use super::tenants::{TenantInput, made};
use crate::auth::caller::Caller;
use crate::domain::email::EmailAddress;
use crate::domain::ids::InstanceId;
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::{PersonName, TenantName};
use crate::domain::permission::PlatformPermission;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;
use crate::domain::timezone::Timezone;
use crate::domain::user::{User, UserStatus};
use crate::store::users;

/// A tenant and its owner as they are written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "owner_email", "owner_name"]))]
pub struct NewTenantInput {
    /// As people call it.
    #[schemars(with = "TenantName")]
    pub name: Option<String>,
    /// Unique on the platform.
    #[schemars(with = "EmailAddress")]
    pub owner_email: Option<String>,
    /// As people call the owner.
    #[schemars(with = "PersonName")]
    pub owner_name: Option<String>,
    /// Its SIP domain; made of its name where `tenants.domain_suffix` is configured.
    #[schemars(with = "Option<SipDomain>")]
    pub domain: Option<String>,
    /// IANA; UTC if absent.
    #[schemars(with = "Option<Timezone>")]
    pub timezone: Option<String>,
    /// The PBX that is to serve it; required unless exactly one exists.
    #[schemars(with = "Option<InstanceId>")]
    pub pbx_instance_id: Option<String>,
}

/// What was made.
pub struct NewTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its owner, who is invited.
    pub owner: User,
    /// What became of the invitation.
    pub invitation: Invitation,
}

/// Makes a tenant and invites its owner.
pub async fn create(app: &App, caller: &Caller, input: NewTenantInput) -> Result<NewTenant, AppError> {
    caller.platform(PlatformPermission::TenantsCreate)?;
    let mut errors = FieldErrors::default();
    let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
    let email = errors.take(
        "owner_email",
        required(input.owner_email).and_then(|text| text.parse::<EmailAddress>()),
    );
    let name = errors.take(
        "owner_name",
        required(input.owner_name).and_then(|text| text.parse::<PersonName>()),
    );
    let tenant = TenantInput {
        name: input.name,
        domain: input.domain,
        timezone: input.timezone,
        pbx_instance_id: input.pbx_instance_id,
    };
    let parsed = tenant.parse(&mut errors, app.domain_suffix.as_ref());
    let (Some(parsed), Some(email), Some(name)) = (parsed, email, name) else {
        return Err(errors.into());
    };

    let right = PlatformPermission::TenantsCreate;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "create_tenant")
        .await?;
    let tenant = app.insert_tenant(&mut tx, parsed).await?;
    let membership = member(app, &mut tx, tenant.id, "owner").await?;
    let owner = app.fresh_user(Some(membership), email, name, UserStatus::Invited);
    if users::find_by_email(&mut tx, &owner.email).await?.is_some() {
        return Err(AppError::Taken {
            field: "owner_email".to_owned(),
        });
    }
    users::insert(&mut tx, &owner, None).await?;
    let invitation = app.send_invitation(&mut tx, &caller, &owner).await?;
    app.audit(&mut tx, &caller, made(&tenant, Some(&owner)))?;
    tx.commit().await?;
    app.posted();
    Ok(NewTenant {
        tenant,
        owner,
        invitation,
    })
}
