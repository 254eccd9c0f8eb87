//! Roles: the built-in ones and a tenant's own.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::idempotency::{Done, Once};
use super::precondition::{IfMatch, tag_of_role};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::given::given;
use crate::domain::ids::{RoleId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::RoleName;
use crate::domain::permission::Permission;
use crate::domain::role::{Role, rank_of};
use crate::store::{Tx, roles, user_counts};

/// As many rights are read of a list: there are fewer.
pub(super) const MOST_NAMED: usize = 100;

/// A role as it is written; in a change, what is absent stays.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct RoleInput {
    /// 2 to 50 characters.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "RoleName")]
    pub name: Option<String>,
    /// What it allows; none that the author has not.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Vec<Permission>", length(max = MOST_NAMED))]
    pub permissions: Option<Vec<String>>,
}

/// The built-in roles, and the tenant's own.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Role>, AppError> {
    let tenant = caller.member(Act::Read)?;
    let mut tx = app.store.read("list_roles").await?;
    Ok(roles::list(&mut tx, Some(tenant)).await?)
}

/// One role: a built-in one, or one of the tenant's own.
pub async fn find(app: &App, caller: &Caller, id: RoleId) -> Result<Role, AppError> {
    let tenant = caller.member(Act::Read)?;
    let mut tx = app.store.read("find_role").await?;
    roles::find(&mut tx, tenant, id).await?.ok_or(AppError::NotFound)
}

/// Refuses an id that the tenant has no role of, before a body is looked at.
pub async fn exists(app: &App, caller: &Caller, id: RoleId) -> Result<(), AppError> {
    let tenant = caller.inside(Act::Change)?;
    let mut tx = app.store.read("find_role").await?;
    let role = roles::find(&mut tx, tenant, id).await?;
    role.map(drop).ok_or(AppError::NotFound)
}

/// Makes a role of the tenant's own.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: RoleInput,
    once: Option<&Once>,
) -> Result<Done<Role>, AppError> {
    caller.tenant(Permission::UsersAssignRole, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::UsersAssignRole, "create_role");
    let (mut tx, caller, tenant) = begun.await?;
    let mut errors = FieldErrors::default();
    let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
    let name = errors.take(
        "name",
        required(input.name).and_then(|text| text.parse::<RoleName>()),
    );
    let permissions = permissions(&mut errors, &caller, input.permissions.unwrap_or_default());
    let (Some(name), Ok(())) = (name, errors.clone().check()) else {
        return Err(errors.into());
    };
    if let Some(id) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        let role = roles::find(&mut tx, tenant, id).await?;
        return role.map(Done::Before).ok_or(AppError::NotFound);
    }
    guards::role(&mut tx, tenant).await?;
    let role = role(
        &mut tx,
        tenant,
        RoleId::fresh(app.ids.as_ref()),
        name,
        permissions,
    )
    .await?;
    roles::insert(&mut tx, tenant, &role, app.now()).await?;
    app.audit(
        &mut tx,
        &caller,
        changed("role.create", tenant, &role, None, Some(view(&role))),
    )?;
    app.keep_answer(&mut tx, tenant, &caller, once, role.id).await?;
    tx.commit().await?;
    Ok(Done::Now(role))
}

/// Changes a role of the tenant's own; who has it has the new rights from the next request on.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: RoleId,
    input: RoleInput,
    if_match: &IfMatch,
) -> Result<Role, AppError> {
    let begun = app.begin_on_member(caller, Permission::UsersAssignRole, "change_role");
    let (mut tx, caller, tenant) = begun.await?;
    let before = own(&mut tx, tenant, id).await?;
    caller.reason_to_change()?;
    guards::reaches(&caller, before.rank)?;
    let mut errors = FieldErrors::default();
    let name = match input.name {
        Some(text) => errors
            .take("name", text.parse())
            .unwrap_or_else(|| before.name.clone()),
        None => before.name.clone(),
    };
    let permissions = match input.permissions {
        Some(words) => permissions(&mut errors, &caller, words),
        None => before.permissions.clone(),
    };
    errors.check()?;
    if_match.check(&tag_of_role(&before))?;
    let after = role(&mut tx, tenant, id, name, permissions).await?;
    // Who has it would be given that rank.
    guards::reaches(&caller, after.rank)?;
    if after == before {
        return Ok(before);
    }
    roles::update(&mut tx, tenant, &after, app.now()).await?;
    let entry = changed(
        "role.change",
        tenant,
        &after,
        Some(view(&before)),
        Some(view(&after)),
    );
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(after)
}

/// Deletes a role of the tenant's own that nobody has.
pub async fn delete(app: &App, caller: &Caller, id: RoleId, if_match: &IfMatch) -> Result<(), AppError> {
    let begun = app.begin_inside(caller, Permission::UsersAssignRole, "delete_role");
    let (mut tx, caller, tenant) = begun.await?;
    let before = own(&mut tx, tenant, id).await?;
    caller.reason_to_change()?;
    guards::reaches(&caller, before.rank)?;
    if_match.check(&tag_of_role(&before))?;
    let users = user_counts::with_role(&mut tx, tenant, id).await?;
    if users > 0 {
        let message = format!("{users} users have this role; give them another first");
        return Err(AppError::in_use(
            message,
            [json!({"resource": "user", "count": users})],
        ));
    }
    roles::delete(&mut tx, tenant, id).await?;
    let entry = changed("role.delete", tenant, &before, Some(view(&before)), None);
    app.audit(&mut tx, &caller, entry)?;
    Ok(tx.commit().await?)
}

/// A role that can be changed: a tenant's own.
async fn own(tx: &mut Tx, tenant: TenantId, id: RoleId) -> Result<Role, AppError> {
    let role = roles::find(tx, tenant, id).await?.ok_or(AppError::NotFound)?;
    if role.is_built_in() {
        let message = "this role is built in; make one of your own with the rights it should have";
        return Err(AppError::conflict("built_in", message));
    }
    Ok(role)
}

/// A role with its rank, whose name no other role has.
async fn role(
    tx: &mut Tx,
    tenant: TenantId,
    id: RoleId,
    name: RoleName,
    permissions: BTreeSet<Permission>,
) -> Result<Role, AppError> {
    let built_in = roles::list(tx, None).await?;
    let folded = |name: &RoleName| name.as_str().to_lowercase();
    // In a list nobody tells them apart.
    let is_taken = |role: &Role| role.id != id && folded(&role.name) == folded(&name);
    if roles::list(tx, Some(tenant)).await?.iter().any(is_taken) {
        return Err(AppError::Taken {
            field: "name".to_owned(),
        });
    }
    Ok(Role {
        id,
        tenant_id: Some(tenant),
        name,
        rank: rank_of(&permissions, &built_in),
        permissions,
    })
}

/// A07: nobody gives what they have not.
pub(super) fn permissions(
    errors: &mut FieldErrors,
    caller: &Caller,
    words: Vec<String>,
) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    if words.len() > MOST_NAMED {
        errors.add(
            "permissions",
            format!("must name at most {MOST_NAMED}; each needs to be named once only"),
        );
        return permissions;
    }
    for word in words {
        match word.parse::<Permission>() {
            Ok(permission) if caller.may(permission) => {
                permissions.insert(permission);
            }
            Ok(permission) => errors.add(
                "permissions",
                format!("holds {permission}, which you have not yourself"),
            ),
            Err(_) => errors.add(
                "permissions",
                format!(
                    "holds `{}`, which is no permission; GET /roles lists them",
                    shown(&word)
                ),
            ),
        }
    }
    permissions
}

/// Enough of a word to recognise it, and nothing that a terminal would act on.
fn shown(word: &str) -> String {
    const ENOUGH: usize = 40;
    let visible = |letter: char| if letter.is_ascii_graphic() { letter } else { '?' };
    let mut shown: String = word.chars().map(visible).take(ENOUGH).collect();
    if word.chars().count() > ENOUGH {
        shown.push('…');
    }
    shown
}

fn changed(
    action: &'static str,
    tenant: TenantId,
    role: &Role,
    before: Option<Value>,
    after: Option<Value>,
) -> Changed {
    Changed {
        action,
        resource: "role",
        target: role.id.to_string(),
        tenant_id: Some(tenant),
        before,
        after,
    }
}

fn view(role: &Role) -> Value {
    json!({"name": role.name, "permissions": role.permissions})
}
