//! The platform's list of tenants, each with what is counted of it: one statement a page, nothing counted row by row.

use super::row::{Origin, RawJson, search_pattern};
use super::statement::{run, search, statements};
use super::tenants::Row as TenantRow;
use super::{Statement, StoreError, Tx};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::InstanceSettings;
use crate::domain::page::Page;
use crate::domain::query::{TenantQuery, TenantSort};
use crate::domain::tenant::TenantStatus;
use crate::domain::tenant_overview::{Files, Owner, TenantOverview};

macro_rules! matching {
    () => {
        concat!(
            "where ",
            search!("$1", "t.name_key", "t.domain"),
            " and (t.status = $2 or $2 is null) and (t.instance_id = $3 or $3 is null)"
        )
    };
}

/// Owners by tenant, the first of each at place 1.
macro_rules! owners {
    ($which:literal) => {
        concat!(
            "select u.tenant_id, u.name, u.email, u.name_key, \
             row_number() over (partition by u.tenant_id order by u.created_at, u.id) as place \
             from users u join roles r on r.id = u.role_id where r.tenant_id is null and r.rank = 'owner'",
            $which
        )
    };
}

macro_rules! people {
    ($which:literal) => {
        concat!(
            "select tenant_id, count(*) filter (where status = 'active') as users, \
             max(last_login_at) as last_login_at from users ",
            $which,
            " group by tenant_id"
        )
    };
}

macro_rules! phones {
    ($which:literal) => {
        concat!(
            "select tenant_id, count(*) as extensions from extensions ",
            $which,
            " group by tenant_id"
        )
    };
}

macro_rules! files {
    ($which:literal) => {
        concat!(
            "select tenant_id, count(*) as files, cast(sum(bytes) as bigint) as bytes from recordings ",
            $which,
            " group by tenant_id"
        )
    };
}

/// The columns of a tenant and its instance.
macro_rules! page {
    ($place:expr, $rest:expr) => {
        concat!(
            "select t.id, t.name, t.domain, t.status, t.instance_id, t.timezone, t.recording, \
             t.recording_notice, t.recording_notice_sound, t.secrets_version, t.created_at, t.updated_at, i.name as instance, i.settings as instance_settings, ",
            $place,
            " as place from tenants t join instances i on i.id = t.instance_id ",
            $rest
        )
    };
}

/// What is counted is counted of the page's tenants.
macro_rules! overviews_of {
    ($page:expr) => {
        concat!(
            "with page as (",
            $page,
            "), owners as (",
            owners!(" and u.tenant_id in (select id from page)"),
            "), people as (",
            people!("where tenant_id in (select id from page)"),
            "), phones as (",
            phones!("where tenant_id in (select id from page)"),
            "), files as (",
            files!("where tenant_id in (select id from page)"),
            ") select p.id, p.name, p.domain, p.status, p.instance_id, p.timezone, p.recording, \
             p.recording_notice, p.recording_notice_sound, p.secrets_version, p.created_at, p.updated_at, \
             p.instance, p.instance_settings, o.name as owner_name, o.email as owner_email, \
             coalesce(n.users, 0) as users, coalesce(x.extensions, 0) as extensions, n.last_login_at, \
             coalesce(f.files, 0) as files, coalesce(f.bytes, 0) as bytes \
             from page p left join owners o on o.tenant_id = p.id and o.place = 1 \
             left join people n on n.tenant_id = p.id left join phones x on x.tenant_id = p.id \
             left join files f on f.tenant_id = p.id order by p.place"
        )
    };
}

/// A page in an order; only what it is ordered by may have to be counted of all tenants.
macro_rules! page_by {
    ($order:expr) => {
        page_by!($order, "")
    };
    ($order:expr, $counted:expr) => {
        overviews_of!(page!(
            concat!("row_number() over (order by ", $order, ")"),
            concat!($counted, " ", matching!(), " order by place limit $4 offset $5")
        ))
    };
}

macro_rules! page_by_people {
    ($order:literal) => {
        page_by!(
            $order,
            concat!("left join (", people!(""), ") c on c.tenant_id = t.id")
        )
    };
}

macro_rules! page_by_phones {
    ($order:literal) => {
        page_by!(
            $order,
            concat!("left join (", phones!(""), ") c on c.tenant_id = t.id")
        )
    };
}

macro_rules! page_by_files {
    ($order:literal) => {
        page_by!(
            $order,
            concat!("left join (", files!(""), ") c on c.tenant_id = t.id")
        )
    };
}

macro_rules! page_by_owner {
    ($order:literal) => {
        page_by!(
            $order,
            concat!(
                "left join (",
                owners!(""),
                ") c on c.tenant_id = t.id and c.place = 1"
            )
        )
    };
}

statements! {
    FIND = overviews_of!(page!("1", "where t.id = $1"));
    COUNT = concat!("select count(*) from tenants t ", matching!());
    BY_ID = page_by!("t.id");
    BY_ID_DOWN = page_by!("t.id desc");
    BY_NAME = page_by!("t.name_key, t.id");
    BY_NAME_DOWN = page_by!("t.name_key desc, t.id desc");
    BY_DOMAIN = page_by!("t.domain");
    BY_DOMAIN_DOWN = page_by!("t.domain desc");
    BY_STATUS = page_by!("t.status, t.id");
    BY_STATUS_DOWN = page_by!("t.status desc, t.id desc");
    BY_INSTANCE = page_by!("i.name, t.id");
    BY_INSTANCE_DOWN = page_by!("i.name desc, t.id desc");
    BY_CREATED_AT = page_by!("t.created_at, t.id");
    BY_CREATED_AT_DOWN = page_by!("t.created_at desc, t.id desc");
    // What is not there comes first: the databases differ where they are left to choose.
    BY_OWNER = page_by_owner!("coalesce(c.name_key, ''), t.id");
    BY_OWNER_DOWN = page_by_owner!("coalesce(c.name_key, '') desc, t.id desc");
    BY_USERS = page_by_people!("coalesce(c.users, 0), t.id");
    BY_USERS_DOWN = page_by_people!("coalesce(c.users, 0) desc, t.id desc");
    BY_LAST_ACTIVITY = page_by_people!("coalesce(c.last_login_at, 0), t.id");
    BY_LAST_ACTIVITY_DOWN = page_by_people!("coalesce(c.last_login_at, 0) desc, t.id desc");
    BY_FILES = page_by_files!("coalesce(c.bytes, 0), t.id");
    BY_FILES_DOWN = page_by_files!("coalesce(c.bytes, 0) desc, t.id desc");
    BY_EXTENSIONS = page_by_phones!("coalesce(c.extensions, 0), t.id");
    BY_EXTENSIONS_DOWN = page_by_phones!("coalesce(c.extensions, 0) desc, t.id desc");
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    tenant: TenantRow,
    instance: String,
    owner_name: Option<String>,
    owner_email: Option<String>,
    users: i64,
    extensions: i64,
    last_login_at: Option<i64>,
    instance_settings: RawJson,
    files: i64,
    bytes: i64,
}

impl Row {
    fn parse(self) -> Result<TenantOverview, StoreError> {
        let tenant = self.tenant.parse()?;
        let origin = Origin {
            table: "tenants",
            id: tenant.id,
        };
        let owner = self.owner_name.zip(self.owner_email).map(|(name, email)| {
            Ok::<_, StoreError>(Owner {
                name: origin.text("users.name", &name)?,
                email: origin.text("users.email", &email)?,
            })
        });
        let settings: InstanceSettings = origin.json("instances.settings", &self.instance_settings)?;
        Ok(TenantOverview {
            // Without a directory nobody has looked.
            files: settings.recordings_dir().map(|_| Files {
                count: self.files,
                bytes: self.bytes,
            }),
            instance: origin.text("instances.name", &self.instance)?,
            owner: owner.transpose()?,
            users: self.users,
            extensions: self.extensions,
            last_activity: self
                .last_login_at
                .map(|at| origin.time("users.last_login_at", at))
                .transpose()?,
            tenant,
        })
    }
}

/// One tenant.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<TenantOverview>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// One page of the tenants that match.
pub async fn list(tx: &mut Tx, query: &TenantQuery) -> Result<Page<TenantOverview>, StoreError> {
    let search = search_pattern(query.search.as_deref());
    let search = search.as_deref();
    let status = query.status.map(TenantStatus::as_str);
    let instance = query.instance_id.map(InstanceId::uuid);
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT, search, status, instance))?;
    let statement = page_statement(query.sort, query.descending);
    let (limit, offset) = (query.page.per_page(), query.page.offset());
    let rows = run!(
        tx,
        fetch_all::<Row>(statement, search, status, instance, limit, offset)
    )?;
    let items = rows.into_iter().map(Row::parse).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        total,
        request: query.page,
    })
}

const fn page_statement(sort: TenantSort, descending: bool) -> Statement {
    match (sort, descending) {
        (TenantSort::Id, false) => BY_ID,
        (TenantSort::Id, true) => BY_ID_DOWN,
        (TenantSort::Files, false) => BY_FILES,
        (TenantSort::Files, true) => BY_FILES_DOWN,
        (TenantSort::Name, false) => BY_NAME,
        (TenantSort::Name, true) => BY_NAME_DOWN,
        (TenantSort::Domain, false) => BY_DOMAIN,
        (TenantSort::Domain, true) => BY_DOMAIN_DOWN,
        (TenantSort::Status, false) => BY_STATUS,
        (TenantSort::Status, true) => BY_STATUS_DOWN,
        (TenantSort::Instance, false) => BY_INSTANCE,
        (TenantSort::Instance, true) => BY_INSTANCE_DOWN,
        (TenantSort::Owner, false) => BY_OWNER,
        (TenantSort::Owner, true) => BY_OWNER_DOWN,
        (TenantSort::Users, false) => BY_USERS,
        (TenantSort::Users, true) => BY_USERS_DOWN,
        (TenantSort::Extensions, false) => BY_EXTENSIONS,
        (TenantSort::Extensions, true) => BY_EXTENSIONS_DOWN,
        (TenantSort::LastActivity, false) => BY_LAST_ACTIVITY,
        (TenantSort::LastActivity, true) => BY_LAST_ACTIVITY_DOWN,
        (TenantSort::CreatedAt, false) => BY_CREATED_AT,
        (TenantSort::CreatedAt, true) => BY_CREATED_AT_DOWN,
    }
}
