//! API keys of a tenant: look at them, make, rotate and revoke them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::roles::{MOST_NAMED, permissions};
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, Place, SignedIn};
use crate::auth::denied::Denied;
use crate::domain::api_key::{ApiKey, KeySecret};
use crate::domain::ids::{ApiKeyId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::moment::Moment;
use crate::domain::name::KeyName;
use crate::domain::page::{Page, PageRequest};
use crate::domain::permission::Permission;
use crate::domain::role::rank_of;
use crate::store::{Tx, api_keys, roles, users};

/// A key as it is written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "permissions"]))]
pub struct KeyInput {
    /// 1 to 50 characters.
    #[schemars(with = "KeyName")]
    pub name: Option<String>,
    /// What it may do; none that the author may not.
    #[schemars(with = "Vec<Permission>", length(min = 1, max = MOST_NAMED))]
    pub permissions: Option<Vec<String>>,
    /// From then on it is good for nothing; absent: it stays good.
    #[schemars(with = "Option<Moment>")]
    pub expires_at: Option<String>,
}

/// One page of the tenant's keys, newest first. There are so few that all are read.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Result<Page<ApiKey>, AppError> {
    let tenant = caller.tenant(Permission::OrgApiKeys, Act::Read)?;
    let mut tx = app.store.read("list_api_keys").await?;
    let all = api_keys::list(&mut tx, tenant).await?;
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    Ok(Page {
        total: i64::try_from(all.len()).unwrap_or(i64::MAX),
        items: all
            .into_iter()
            .skip(whole(request.offset()))
            .take(whole(request.per_page()))
            .collect(),
        request,
    })
}

/// Refuses an id that the tenant has no key of, before a body is looked at.
pub async fn exists(app: &App, caller: &Caller, id: ApiKeyId) -> Result<(), AppError> {
    let tenant = caller.tenant(Permission::OrgApiKeys, Act::Change)?;
    let mut tx = app.store.read("find_api_key").await?;
    found(&mut tx, tenant, id).await.map(drop)
}

/// Makes a key; gives the whole of it, which is shown this once.
pub async fn create(app: &App, caller: &Caller, input: KeyInput) -> Result<(ApiKey, KeySecret), AppError> {
    let secret = KeySecret::generate(app.random.as_ref())?;
    let (mut tx, caller, tenant) = app
        .begin_inside(caller, Permission::OrgApiKeys, "create_api_key")
        .await?;
    let author = author(&caller)?;
    let now = app.now();
    let mut errors = FieldErrors::default();
    let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
    let name = errors.take(
        "name",
        required(input.name).and_then(|text| text.parse::<KeyName>()),
    );
    let permissions = rights(&mut errors, &caller, input.permissions.unwrap_or_default());
    let expires_at = input.expires_at.and_then(|text| {
        let end = errors.take("expires_at", text.parse::<Moment>())?.timestamp();
        if end <= now {
            errors.add("expires_at", "must be in the future");
        }
        Some(end)
    });
    let (Some(name), Ok(())) = (name, errors.clone().check()) else {
        return Err(errors.into());
    };
    guards::key(&mut tx, tenant).await?;
    let key = ApiKey {
        id: ApiKeyId::fresh(app.ids.as_ref()),
        tenant_id: tenant,
        author_id: author.user_id,
        name,
        prefix: secret.prefix().to_owned(),
        rank: rank_of(&permissions, &roles::list(&mut tx, None).await?),
        permissions,
        expires_at,
        last_used_at: None,
        created_at: now,
    };
    api_keys::insert(&mut tx, &key, &secret).await?;
    let entry = changed("api_key.create", &key, None, Some(view(&key)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok((key, secret))
}

/// Gives a key another secret; the one before is good for nothing from the next request on.
pub async fn rotate(app: &App, caller: &Caller, id: ApiKeyId) -> Result<(ApiKey, KeySecret), AppError> {
    let secret = KeySecret::generate(app.random.as_ref())?;
    let (mut tx, caller, tenant) = app
        .begin_inside(caller, Permission::OrgApiKeys, "rotate_api_key")
        .await?;
    let who = author(&caller)?;
    let before = found(&mut tx, tenant, id).await?;
    let author = users::find(&mut tx, tenant, before.author_id).await?;
    guards::hands_on(who, &before, author.as_ref())?;
    api_keys::rotate(&mut tx, tenant, id, &secret).await?;
    let after = ApiKey {
        prefix: secret.prefix().to_owned(),
        ..before.clone()
    };
    let entry = changed("api_key.rotate", &after, Some(view(&before)), Some(view(&after)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok((after, secret))
}

/// Revokes a key: it is good for nothing from the next request on.
pub async fn revoke(app: &App, caller: &Caller, id: ApiKeyId) -> Result<(), AppError> {
    let (mut tx, caller, tenant) = app
        .begin_inside(caller, Permission::OrgApiKeys, "revoke_api_key")
        .await?;
    let before = found(&mut tx, tenant, id).await?;
    api_keys::delete(&mut tx, tenant, id).await?;
    let entry = changed("api_key.revoke", &before, Some(view(&before)), None);
    app.audit(&mut tx, &caller, entry)?;
    Ok(tx.commit().await?)
}

/// A key's author is one of the tenant's own people: it ends with them.
fn author(caller: &Caller) -> Result<&SignedIn, Denied> {
    match (caller.identity(), caller.place()) {
        (Identity::User(user), Place::Home { .. }) => Ok(user),
        _ => Err(Denied::Permission),
    }
}

async fn found(tx: &mut Tx, tenant: TenantId, id: ApiKeyId) -> Result<ApiKey, AppError> {
    let key = api_keys::find(tx, tenant, id).await?;
    key.ok_or(AppError::NotFound)
}

/// What a key may have of what its author has.
fn rights(errors: &mut FieldErrors, caller: &Caller, words: Vec<String>) -> BTreeSet<Permission> {
    if words.is_empty() {
        errors.add("permissions", "is required: name what the key is for");
    }
    let permissions = permissions(errors, caller, words);
    for right in permissions.iter().filter(|right| !right.is_for_keys()) {
        errors.add("permissions", format!("holds {right}, which is for people only"));
    }
    permissions
}

fn changed(action: &'static str, key: &ApiKey, before: Option<Value>, after: Option<Value>) -> Changed {
    Changed {
        action,
        resource: "api_key",
        target: key.id.to_string(),
        tenant_id: Some(key.tenant_id),
        before,
        after,
    }
}

fn view(key: &ApiKey) -> Value {
    json!({
        "name": key.name, "prefix": key.prefix, "permissions": key.permissions, "expires_at": key.expires_at,
        "author_id": key.author_id,
    })
}
