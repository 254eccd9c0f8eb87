//! Rows of sessions, and who stands behind one.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::roles::permissions;
use super::row::{Origin, storable};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{RoleId, SessionId, TenantId, UserId};
use crate::domain::session::{Home, Presence, Session};
use crate::domain::user::Membership;

macro_rules! columns {
    () => {
        "s.id, s.user_id, s.created_at, s.last_used_at, s.expires_at, s.address, s.agent"
    };
}

statements! {
    INSERT = "insert into sessions (id, user_id, created_at, last_used_at, expires_at, address, agent) \
        values ($1, $2, $3, $4, $5, $6, $7)";
    // All that a request's rights depend on, in one read.
    PRESENCE = concat!("select ", columns!(), ", u.email, u.name, u.status, u.platform_manager, u.tenant_id, \
        t.name as tenant, t.status as tenant_status, t.session_timeout_minutes, u.role_id, r.name as role, r.rank, \
        (select string_agg(p.permission, ' ') from role_permissions p where p.role_id = u.role_id) as permissions, \
        e.id as entered_id, e.status as entered_status \
        from sessions s join users u on u.id = s.user_id left join tenants t on t.id = u.tenant_id \
        left join roles r on r.id = u.role_id left join tenants e on e.id = $2 where s.id = $1");
    OF_USER = concat!("select ", columns!(), " from sessions s where s.user_id = $1 and s.expires_at > $2 \
        order by s.created_at desc, s.id desc");
    USE = "update sessions set last_used_at = $2 where id = $1 and last_used_at < $2";
    END = "delete from sessions where user_id = $1 and id = $2";
    END_ALL = "delete from sessions where user_id = $1 and (id <> $2 or $2 is null)";
    // Those that have rested too long first, then the oldest.
    MAKE_ROOM = "delete from sessions where user_id = $1 and id <> $2 and id not in (select id from sessions \
        where user_id = $1 and id <> $2 order by last_used_at > $3 desc, created_at desc, id desc limit $4)";
    PURGE = "delete from sessions where user_id = $1 and expires_at <= $2";
    PURGE_ALL = "delete from sessions where id in (select id from sessions where expires_at <= $1 \
        order by expires_at, id limit 100)";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
    address: Option<String>,
    agent: Option<String>,
}

impl Row {
    fn parse(self) -> Result<Session, StoreError> {
        let origin = Origin {
            table: "sessions",
            id: self.id,
        };
        Ok(Session {
            id: SessionId::from_uuid(self.id),
            user_id: UserId::from_uuid(self.user_id),
            created_at: origin.time("created_at", self.created_at)?,
            last_used_at: origin.time("last_used_at", self.last_used_at)?,
            expires_at: origin.time("expires_at", self.expires_at)?,
            address: self.address,
            agent: self.agent,
        })
    }
}

#[derive(sqlx::FromRow)]
struct PresenceRow {
    #[sqlx(flatten)]
    session: Row,
    email: String,
    name: String,
    status: String,
    platform_manager: bool,
    tenant_id: Option<Uuid>,
    tenant: Option<String>,
    tenant_status: Option<String>,
    session_timeout_minutes: Option<i64>,
    role_id: Option<Uuid>,
    role: Option<String>,
    rank: Option<String>,
    permissions: Option<String>,
    entered_id: Option<Uuid>,
    entered_status: Option<String>,
}

impl PresenceRow {
    fn parse(self) -> Result<Presence, StoreError> {
        let origin = Origin {
            table: "users",
            id: self.session.user_id,
        };
        let home = match (
            &self.tenant_id,
            &self.tenant_status,
            &self.role_id,
            &self.role,
            &self.rank,
        ) {
            (Some(tenant), Some(status), Some(role_id), Some(role), Some(rank)) => Some(Home {
                membership: Membership {
                    tenant_id: TenantId::from_uuid(*tenant),
                    tenant: origin.text("tenants.name", self.tenant.as_deref().unwrap_or_default())?,
                    role_id: RoleId::from_uuid(*role_id),
                    role: origin.text("role", role)?,
                    rank: origin.text("rank", rank)?,
                },
                status: origin.text("tenants.status", status)?,
                rest: SignedDuration::from_mins(self.session_timeout_minutes.unwrap_or_default()),
                permissions: permissions(&origin, self.permissions.as_deref())?,
            }),
            _ => None,
        };
        let entered = match (self.entered_id, &self.entered_status) {
            (Some(id), Some(status)) => {
                Some((TenantId::from_uuid(id), origin.text("tenants.status", status)?))
            }
            _ => None,
        };
        Ok(Presence {
            email: origin.text("email", &self.email)?,
            name: origin.text("name", &self.name)?,
            status: origin.text("status", &self.status)?,
            platform_manager: self.platform_manager,
            home,
            entered,
            session: self.session.parse()?,
        })
    }
}

/// Begins a session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            session.id.uuid(),
            session.user_id.uuid(),
            session.created_at.as_microsecond(),
            session.last_used_at.as_microsecond(),
            session.expires_at.as_microsecond(),
            session.address.as_deref().map(storable),
            session.agent.as_deref().map(storable),
        )
    )?;
    Ok(())
}

/// Who stands behind a session, and the tenant that they ask for; whether it is still good is for
/// [`Presence::is_good`] to say.
pub async fn presence(
    tx: &mut Tx,
    id: SessionId,
    entering: Option<TenantId>,
) -> Result<Option<Presence>, StoreError> {
    let entering = entering.map(TenantId::uuid);
    run!(tx, fetch_optional::<PresenceRow>(PRESENCE, id.uuid(), entering))?
        .map(PresenceRow::parse)
        .transpose()
}

/// A user's sessions that have not reached their end, newest first.
pub async fn of_user(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    run!(tx, fetch_all::<Row>(OF_USER, user.uuid(), now.as_microsecond()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// Notes that a session is used.
pub async fn touch(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(USE, id.uuid(), now.as_microsecond()))?;
    Ok(())
}

/// Ends one of the user's sessions; false when it is not theirs, or has ended.
pub async fn end(tx: &mut Tx, user: UserId, id: SessionId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(END, user.uuid(), id.uuid()))? == 1)
}

/// Ends all of the user's sessions, but for one that is named; answers how many.
pub async fn end_all(tx: &mut Tx, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
    run!(tx, execute(END_ALL, user.uuid(), but.map(SessionId::uuid)))
}

/// Leaves a user so many sessions at most, the one that is named among them: those that were last used until `rested` end
/// first, then the oldest. Answers how many ended. To be called under the user's lock.
pub async fn make_room(
    tx: &mut Tx,
    user: UserId,
    own: SessionId,
    rested: Timestamp,
    most: i64,
) -> Result<u64, StoreError> {
    let (rested, others) = (rested.as_microsecond(), most.saturating_sub(1));
    run!(tx, execute(MAKE_ROOM, user.uuid(), own.uuid(), rested, others))
}

/// Removes those of the user's sessions that reached their end.
pub async fn purge(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(PURGE, user.uuid(), now.as_microsecond()))
}

/// Removes some of those that reached their end, whosever they are; answers how many.
pub async fn purge_all(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(PURGE_ALL, now.as_microsecond()))
}
