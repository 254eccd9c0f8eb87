//! Lists of users: one tenant's, and the platform's.

use super::row::search_pattern;
use super::statement::{run, search, statements};
use super::users::{Row, select};
use super::{Statement, StoreError, Tx};
use crate::domain::ids::TenantId;
use crate::domain::page::Page;
use crate::domain::user::{User, UserStatus};
use crate::domain::user_query::{UserQuery, UserSort};

macro_rules! matching {
    () => {
        concat!(
            "where (u.tenant_id = $1 or $1 is null) and ",
            search!("$2", "u.name_key", "u.email"),
            " and (u.status = $3 or $3 is null) and (r.name = $4 or $4 is null) and (u.platform_manager = $5 or $5 is null)"
        )
    };
}

macro_rules! page_by {
    ($order:literal) => {
        select!(matching!(), " order by ", $order, " limit $6 offset $7")
    };
}

statements! {
    COUNT = concat!("select count(*) from users u left join roles r on r.id = u.role_id ", matching!());
    BY_NAME = page_by!("u.name_key, u.id");
    BY_NAME_DOWN = page_by!("u.name_key desc, u.id desc");
    BY_EMAIL = page_by!("u.email");
    BY_EMAIL_DOWN = page_by!("u.email desc");
    // Those without tenant or role come first, and who never signed in: the databases differ where they are left to choose.
    BY_TENANT = page_by!("coalesce(t.name_key, ''), u.id");
    BY_TENANT_DOWN = page_by!("coalesce(t.name_key, '') desc, u.id desc");
    BY_ROLE = page_by!("coalesce(r.name, ''), u.id");
    BY_ROLE_DOWN = page_by!("coalesce(r.name, '') desc, u.id desc");
    BY_STATUS = page_by!("u.status, u.id");
    BY_STATUS_DOWN = page_by!("u.status desc, u.id desc");
    BY_PLATFORM_MANAGER = page_by!("u.platform_manager, u.id");
    BY_PLATFORM_MANAGER_DOWN = page_by!("u.platform_manager desc, u.id desc");
    BY_LAST_LOGIN_AT = page_by!("coalesce(u.last_login_at, 0), u.id");
    BY_LAST_LOGIN_AT_DOWN = page_by!("coalesce(u.last_login_at, 0) desc, u.id desc");
    BY_CREATED_AT = page_by!("u.created_at, u.id");
    BY_CREATED_AT_DOWN = page_by!("u.created_at desc, u.id desc");
}

/// One page of the tenant's users that match.
pub async fn list(tx: &mut Tx, tenant: TenantId, query: &UserQuery) -> Result<Page<User>, StoreError> {
    page(tx, Some(tenant), query).await
}

/// One page of all users that match: for the platform only.
pub async fn list_all(tx: &mut Tx, query: &UserQuery) -> Result<Page<User>, StoreError> {
    page(tx, query.tenant_id, query).await
}

async fn page(tx: &mut Tx, tenant: Option<TenantId>, query: &UserQuery) -> Result<Page<User>, StoreError> {
    let tenant = tenant.map(TenantId::uuid);
    let search = search_pattern(query.search.as_deref());
    let search = search.as_deref();
    let status = query.status.map(UserStatus::as_str);
    let role = query.role.as_ref().map(AsRef::as_ref);
    let manages = query.platform_manager;
    let (total,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT, tenant, search, status, role, manages)
    )?;
    let statement = page_statement(query.sort, query.descending);
    let (limit, offset) = (query.page.per_page(), query.page.offset());
    let rows = run!(
        tx,
        fetch_all::<Row>(statement, tenant, search, status, role, manages, limit, offset)
    )?;
    let items = rows.into_iter().map(Row::parse).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        total,
        request: query.page,
    })
}

const fn page_statement(sort: UserSort, descending: bool) -> Statement {
    match (sort, descending) {
        (UserSort::Name, false) => BY_NAME,
        (UserSort::Name, true) => BY_NAME_DOWN,
        (UserSort::Email, false) => BY_EMAIL,
        (UserSort::Email, true) => BY_EMAIL_DOWN,
        (UserSort::Tenant, false) => BY_TENANT,
        (UserSort::Tenant, true) => BY_TENANT_DOWN,
        (UserSort::Role, false) => BY_ROLE,
        (UserSort::Role, true) => BY_ROLE_DOWN,
        (UserSort::Status, false) => BY_STATUS,
        (UserSort::Status, true) => BY_STATUS_DOWN,
        (UserSort::PlatformManager, false) => BY_PLATFORM_MANAGER,
        (UserSort::PlatformManager, true) => BY_PLATFORM_MANAGER_DOWN,
        (UserSort::LastLoginAt, false) => BY_LAST_LOGIN_AT,
        (UserSort::LastLoginAt, true) => BY_LAST_LOGIN_AT_DOWN,
        (UserSort::CreatedAt, false) => BY_CREATED_AT,
        (UserSort::CreatedAt, true) => BY_CREATED_AT_DOWN,
    }
}
