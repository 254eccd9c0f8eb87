//! Rows of users: those of one tenant, and those of the platform.

use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::row::{Origin, RawJson, name_key, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::contact::Contact;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{ExtensionId, RoleId, TenantId, UserId};
use crate::domain::name::PersonName;
use crate::domain::password::PasswordHash;
use crate::domain::user::{External, Membership, User, UserStatus};

/// Selects users with their roles and the names of their tenants.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select u.id, u.tenant_id, u.email, u.name, u.role_id, r.name as role, r.rank, u.status, \
             u.platform_manager, u.contact, u.extension_id, u.password_hash is not null as has_password, u.issuer, \
             u.subject, u.last_login_at, u.version, u.created_at, u.updated_at, t.name as tenant_name \
             from users u left join roles r on r.id = u.role_id left join tenants t on t.id = u.tenant_id ",
            $($rest),+
        )
    };
}

pub(super) use select;

macro_rules! update {
    ($set:literal) => {
        concat!(
            "update users set ",
            $set,
            ", version = version + 1, updated_at = $2 where id = $1"
        )
    };
}

statements! {
    INSERT = "insert into users (id, tenant_id, email, name, name_key, role_id, status, platform_manager, contact, \
        extension_id, password_hash, issuer, subject, last_login_at, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    FIND = select!("where u.tenant_id = $1 and u.id = $2");
    FIND_ANYWHERE = select!("where u.id = $1");
    FIND_BY_EMAIL = select!("where u.email = $1");
    FIND_BY_EXTERNAL = select!("where u.issuer = $1 and u.subject = $2");
    PASSWORD_HASH = "select password_hash from users where id = $1";
    SET_PASSWORD_HASH = update!("password_hash = $3");
    SET_STATUS = update!("status = $3");
    SET_ROLE = update!("role_id = $3");
    SET_MEMBERSHIP = update!("tenant_id = $3, role_id = $4, extension_id = null");
    SET_PLATFORM_MANAGER = update!("platform_manager = $3");
    SET_EXTERNAL = update!("issuer = $3, subject = $4");
    SET_PERSON = update!("name = $3, name_key = $4, contact = $5, extension_id = $6");
    UNLINK = "update users set extension_id = null, version = version + 1, updated_at = $2 where extension_id = $1 \
        returning id";
    // Nothing that an admin edits: neither version nor time of change move.
    REHASH = "update users set password_hash = $2 where id = $1";
    SET_LAST_LOGIN = "update users set last_login_at = $2 where id = $1";
    DELETE = "delete from users where id = $1";
    LOCK = "update users set updated_at = updated_at where id = $1";
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
    name: String,
    role_id: Option<Uuid>,
    role: Option<String>,
    rank: Option<String>,
    status: String,
    platform_manager: bool,
    contact: RawJson,
    extension_id: Option<Uuid>,
    has_password: bool,
    issuer: Option<String>,
    subject: Option<String>,
    last_login_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    tenant_name: Option<String>,
}

impl Row {
    pub(super) fn parse(self) -> Result<User, StoreError> {
        let origin = Origin {
            table: "users",
            id: self.id,
        };
        let membership = match (&self.tenant_id, &self.role_id, &self.role, &self.rank) {
            (Some(tenant), Some(role_id), Some(role), Some(rank)) => Some(Membership {
                tenant_id: TenantId::from_uuid(*tenant),
                tenant: origin.text("tenants.name", self.tenant_name.as_deref().unwrap_or_default())?,
                role_id: RoleId::from_uuid(*role_id),
                role: origin.text("role", role)?,
                rank: origin.text("rank", rank)?,
            }),
            _ => None,
        };
        let last_login_at = self.last_login_at;
        Ok(User {
            id: UserId::from_uuid(self.id),
            membership,
            email: origin.text("email", &self.email)?,
            name: origin.text("name", &self.name)?,
            status: origin.text("status", &self.status)?,
            platform_manager: self.platform_manager,
            contact: origin.json("contact", &self.contact)?,
            extension_id: self.extension_id.map(ExtensionId::from_uuid),
            has_password: self.has_password,
            external: self
                .issuer
                .zip(self.subject)
                .map(|(issuer, subject)| External { issuer, subject }),
            last_login_at: last_login_at
                .map(|at| origin.time("last_login_at", at))
                .transpose()?,
            version: self.version,
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

/// Adds a user. An address that is taken is a conflict.
pub async fn insert(tx: &mut Tx, user: &User, password: Option<&PasswordHash>) -> Result<(), StoreError> {
    let membership = user.membership.as_ref();
    let external = user.external.as_ref();
    run!(
        tx,
        execute(
            INSERT,
            user.id.uuid(),
            membership.map(|of| of.tenant_id.uuid()),
            user.email.as_str(),
            user.name.as_str(),
            name_key(user.name.as_str()),
            membership.map(|of| of.role_id.uuid()),
            user.status.as_str(),
            user.platform_manager,
            to_json("contact", &user.contact)?,
            user.extension_id.map(ExtensionId::uuid),
            password.map(PasswordHash::expose),
            external.map(|of| of.issuer.as_str()),
            external.map(|of| of.subject.as_str()),
            user.last_login_at.map(Timestamp::as_microsecond),
            user.version,
            user.created_at.as_microsecond(),
            user.updated_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The tenant's user with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// Any user, for the platform and for whoever has proven to be that user.
pub async fn find_anywhere(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_ANYWHERE, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The user with this address, in whichever tenant.
pub async fn find_by_email(tx: &mut Tx, email: &EmailAddress) -> Result<Option<User>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_BY_EMAIL, email.as_str()))?
        .map(Row::parse)
        .transpose()
}

/// The user whom an issuer knows as this subject, in whichever tenant.
pub async fn find_by_external(tx: &mut Tx, external: &External) -> Result<Option<User>, StoreError> {
    let External { issuer, subject } = external;
    run!(
        tx,
        fetch_optional::<Row>(FIND_BY_EXTERNAL, issuer.as_str(), subject.as_str())
    )?
    .map(Row::parse)
    .transpose()
}

/// What the user's password is compared with; `None` where there is none.
pub async fn password_hash(tx: &mut Tx, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
    let row = run!(tx, fetch_optional::<(Option<String>,)>(PASSWORD_HASH, id.uuid()))?;
    let hash = row.and_then(|(hash,)| hash).map(SecretString::from);
    let origin = Origin { table: "users", id };
    hash.map(|hash| PasswordHash::parse(hash).map_err(|invalid| origin.corrupt("password_hash", invalid)))
        .transpose()
}

/// Replaces it; false when there is no such user.
pub async fn set_password_hash(
    tx: &mut Tx,
    id: UserId,
    hash: &PasswordHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_PASSWORD_HASH, id.uuid(), now.as_microsecond(), hash.expose())
    )? == 1)
}

/// Keeps the same password hashed in another way, which changes nothing for anybody.
pub async fn rehash(tx: &mut Tx, id: UserId, hash: &PasswordHash) -> Result<(), StoreError> {
    run!(tx, execute(REHASH, id.uuid(), hash.expose()))?;
    Ok(())
}

/// Lets a user sign in, or not any more; false when there is no such user.
pub async fn set_status(
    tx: &mut Tx,
    id: UserId,
    status: UserStatus,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_STATUS, id.uuid(), now.as_microsecond(), status.as_str())
    )? == 1)
}

/// Gives a user another role of their tenant; false when there is no such user.
pub async fn set_role(tx: &mut Tx, id: UserId, role: RoleId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_ROLE, id.uuid(), now.as_microsecond(), role.uuid())
    )? == 1)
}

/// Has a user work for a tenant with a role, or for none; their phone is no longer theirs. False when there is no such
/// user.
pub async fn set_membership(
    tx: &mut Tx,
    id: UserId,
    place: Option<(TenantId, RoleId)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (tenant, role) = place.unzip();
    let (tenant, role) = (tenant.map(TenantId::uuid), role.map(RoleId::uuid));
    Ok(run!(
        tx,
        execute(SET_MEMBERSHIP, id.uuid(), now.as_microsecond(), tenant, role)
    )? == 1)
}

/// Makes a user a platform manager, or not any more; false when there is no such user.
pub async fn set_platform_manager(
    tx: &mut Tx,
    id: UserId,
    manages: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_PLATFORM_MANAGER, id.uuid(), now.as_microsecond(), manages)
    )? == 1)
}

/// Links a user to whom an issuer knows. One that is linked to somebody else is a conflict.
pub async fn set_external(
    tx: &mut Tx,
    id: UserId,
    external: &External,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let External { issuer, subject } = external;
    Ok(run!(
        tx,
        execute(
            SET_EXTERNAL,
            id.uuid(),
            now.as_microsecond(),
            issuer.as_str(),
            subject.as_str()
        )
    )? == 1)
}

/// Replaces name, contact and linked extension; false when there is no such user.
pub async fn set_person(
    tx: &mut Tx,
    id: UserId,
    name: &PersonName,
    contact: &Contact,
    extension: Option<ExtensionId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(
            SET_PERSON,
            id.uuid(),
            now.as_microsecond(),
            name.as_str(),
            name_key(name.as_str()),
            to_json("contact", contact)?,
            extension.map(ExtensionId::uuid)
        )
    )? == 1)
}

/// Takes an extension from whoever has it as their phone, and counts that as a change of them; answers who that was. One that
/// is deleted would go by itself, but leave the user's version as it was.
pub async fn unlink(
    tx: &mut Tx,
    extension: ExtensionId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(UNLINK, extension.uuid(), now.as_microsecond())
    )?;
    Ok(row.map(|(id,)| UserId::from_uuid(id)))
}

/// Notes a sign-in.
pub async fn set_last_login(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(SET_LAST_LOGIN, id.uuid(), now.as_microsecond()))?;
    Ok(())
}

/// Keeps others that change the same user waiting until this transaction ends; false when there is none of that id.
///
/// Taken after the lock of their tenant, where that is taken.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(LOCK, id.uuid()))? == 1)
}

/// Deletes a user with their sessions and tokens; false when there is none of that id.
pub async fn delete(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, id.uuid()))? == 1)
}
