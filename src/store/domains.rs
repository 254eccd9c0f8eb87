//! SIP domains of tenants, today's and former ones: whose each is, what PBXs serve under it, and until when.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx, tenants};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::revision::Revision;
use crate::domain::sip_domain::SipDomain;

/// For how long phones may sign in at a domain that the tenant had before, from the deploy on that puts the new one live.
const ALIAS: SignedDuration = SignedDuration::from_hours(30 * 24);

statements! {
    ALIASES = "select domain from tenant_domain_aliases where tenant_id = $1 order by domain";
    PUT_ALIAS = "insert into tenant_domain_aliases (domain, tenant_id, expires_at) values ($1, $2, null) \
        on conflict (domain) do update set expires_at = null \
        where tenant_domain_aliases.tenant_id = excluded.tenant_id";
    DROP_ALIAS = "delete from tenant_domain_aliases where tenant_id = $1 and domain = $2";
    EXPIRED = "select distinct tenant_id from tenant_domain_aliases where expires_at <= $1 order by tenant_id";
    DROP_EXPIRED = "delete from tenant_domain_aliases where tenant_id = $1 and expires_at <= $2";
    BEGIN_TIME = "update tenant_domain_aliases set expires_at = $2 where expires_at is null and exists \
        (select 1 from served s join revision_domains d on d.tenant_id = s.tenant_id and d.revision_id = s.revision_id \
        where s.instance_id = $1 and s.tenant_id = tenant_domain_aliases.tenant_id \
        and d.domain = tenant_domain_aliases.domain and d.former)";
    NOTE = "insert into revision_domains (domain, tenant_id, revision_id, former) values {rows}", 4;
    NOTE_TENURE = "insert into domain_tenures (domain, tenant_id, since) values {rows} \
        on conflict (domain, tenant_id) do update set since = excluded.since \
        where excluded.since < domain_tenures.since", 3;
    HOLDERS = "select tenant_id, since from domain_tenures where domain = $1";
    IS_RESERVED = "select count(*) from (select tenant_id from tenant_domain_aliases where domain = $1 \
        union all select d.tenant_id from revision_domains d where d.domain = $1 and ( \
        exists (select 1 from served s where s.tenant_id = d.tenant_id and s.revision_id = d.revision_id) \
        or exists (select 1 from generation_tenants g where g.tenant_id = d.tenant_id and g.revision_id = d.revision_id) \
        or exists (select 1 from deployments q where q.tenant_id = d.tenant_id and q.revision_id = d.revision_id \
        and q.ended_at is null))) held where tenant_id <> $2";
    IS_ANOTHERS = "select count(*) from (select id as tenant_id from tenants where domain = $1 \
        union all select tenant_id from tenant_domain_aliases where domain = $1 \
        union all select d.tenant_id from revision_domains d join served s \
        on s.tenant_id = d.tenant_id and s.revision_id = d.revision_id where d.domain = $1 and s.instance_id = $3) held \
        where tenant_id <> $2";
    EVER_OF = "select domain from tenants where id = $1 \
        union select domain from tenant_domain_aliases where tenant_id = $1 \
        union select domain from domain_tenures where tenant_id = $1";
    KNOWN_ON = "select id, domain from tenants where instance_id = $1 \
        union select a.tenant_id, a.domain from tenant_domain_aliases a join tenants t on t.id = a.tenant_id \
        where t.instance_id = $1 \
        union select d.tenant_id, d.domain from revision_domains d where (d.tenant_id, d.revision_id) in \
        (select tenant_id, revision_id from served where instance_id = $1 \
        union select g.tenant_id, g.revision_id from generation_tenants g join generations n on n.id = g.generation_id \
        where n.instance_id = $1)";
}

/// The former domains at which the tenant's phones may still sign in.
pub async fn aliases(tx: &mut Tx, tenant: TenantId) -> Result<Vec<SipDomain>, StoreError> {
    let rows = run!(tx, fetch_all::<(String,)>(ALIASES, tenant.uuid()))?;
    parsed("tenant_domain_aliases", tenant, rows)
}

fn parsed<C: FromIterator<SipDomain>>(
    table: &'static str,
    tenant: TenantId,
    rows: Vec<(String,)>,
) -> Result<C, StoreError> {
    let origin = Origin { table, id: tenant };
    let domains = rows.into_iter().map(|(domain,)| origin.text("domain", &domain));
    domains.collect()
}

/// Keeps a former domain of the tenant; its time begins when a deploy puts the new one live. False, with nothing kept, where
/// it is another tenant's.
pub async fn put_alias(tx: &mut Tx, tenant: TenantId, domain: &SipDomain) -> Result<bool, StoreError> {
    let kept = run!(tx, execute(PUT_ALIAS, domain.as_str(), tenant.uuid()))? == 1;
    tenants::forget_head_revision(tx, tenant).await?;
    Ok(kept)
}

/// Gives a former domain of the tenant up.
pub async fn drop_alias(tx: &mut Tx, tenant: TenantId, domain: &SipDomain) -> Result<(), StoreError> {
    run!(tx, execute(DROP_ALIAS, tenant.uuid(), domain.as_str()))?;
    tenants::forget_head_revision(tx, tenant).await
}

/// Begins the time of the former domains that the instance serves as such: to be called once that is proven.
pub async fn begin_time_of_aliases(
    tx: &mut Tx,
    instance: InstanceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let until = (now + ALIAS).as_microsecond();
    run!(tx, execute(BEGIN_TIME, instance.uuid(), until))?;
    Ok(())
}

/// The tenants with a former domain whose time is over.
pub async fn with_expired_aliases(tx: &mut Tx, now: Timestamp) -> Result<Vec<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(EXPIRED, now.as_microsecond()))?;
    Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
}

/// Gives up the former domains of a tenant whose time is over; answers how many.
pub async fn drop_expired(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
    let dropped = run!(tx, execute(DROP_EXPIRED, tenant.uuid(), now.as_microsecond()))?;
    if dropped > 0 {
        tenants::forget_head_revision(tx, tenant).await?;
    }
    Ok(dropped)
}

/// Notes under which domains a revision is served, and since when PBXs may serve the tenant so: that outlives the revision.
pub(super) async fn note(tx: &mut Tx, revision: &Revision) -> Result<(), StoreError> {
    let (rows, tenant) = (domains_of(revision), revision.tenant_id.uuid());
    insert_rows!(tx, NOTE, rows, |(domain, former)| (
        domain.as_str(),
        tenant,
        revision.id.uuid(),
        *former
    ))?;
    note_tenures(tx, revision).await
}

/// The second of these alone, of a revision that was taken before: a daemon of a former version noted none.
pub(super) async fn note_tenures(tx: &mut Tx, revision: &Revision) -> Result<(), StoreError> {
    let (rows, tenant) = (domains_of(revision), revision.tenant_id.uuid());
    let since = revision.created_at.as_microsecond();
    insert_rows!(tx, NOTE_TENURE, rows, |(domain, _)| (
        domain.as_str(),
        tenant,
        since
    ))?;
    Ok(())
}

/// Each with whether it is a former one.
fn domains_of(revision: &Revision) -> Vec<(&SipDomain, bool)> {
    let config = &revision.config;
    let own = std::iter::once((&config.domain, false));
    let former = config.aliases.iter().filter(|alias| **alias != config.domain);
    own.chain(former.map(|alias| (alias, true))).collect()
}

/// Who has or had a domain, each with the time from which on a PBX may have served it so: that of the first revision.
pub async fn holders(tx: &mut Tx, domain: &SipDomain) -> Result<Vec<(TenantId, Timestamp)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, i64)>(HOLDERS, domain.as_str()))?;
    rows.into_iter()
        .map(|(id, since)| {
            let origin = Origin {
                table: "domain_tenures",
                id,
            };
            Ok((TenantId::from_uuid(id), origin.time("since", since)?))
        })
        .collect()
}

/// Whether a domain is kept for another tenant that had it: as an alias, or because a PBX serves it, a generation that is
/// kept has it, or a deploy of it waits. To be asked after the domain was written: whoever gave it up in the meantime is
/// seen then.
pub async fn is_reserved(tx: &mut Tx, domain: &SipDomain, own: TenantId) -> Result<bool, StoreError> {
    let (held,) = run!(tx, fetch_one::<(i64,)>(IS_RESERVED, domain.as_str(), own.uuid()))?;
    Ok(held > 0)
}

/// Whether a domain is another tenant's by now, or served as another's by the instance.
pub async fn is_anothers(
    tx: &mut Tx,
    domain: &SipDomain,
    own: TenantId,
    instance: InstanceId,
) -> Result<bool, StoreError> {
    let (held,) = run!(
        tx,
        fetch_one::<(i64,)>(IS_ANOTHERS, domain.as_str(), own.uuid(), instance.uuid())
    )?;
    Ok(held > 0)
}

/// Every domain that a tenant has or had, as far as that is known.
pub async fn ever_of(tx: &mut Tx, tenant: TenantId) -> Result<BTreeSet<SipDomain>, StoreError> {
    let rows = run!(tx, fetch_all::<(String,)>(EVER_OF, tenant.uuid()))?;
    parsed("domain_tenures", tenant, rows)
}

/// Every domain by which an instance may name a tenant: of those that are assigned to it, today's and former ones, and
/// of those that a generation of it serves or served.
pub async fn known_on(tx: &mut Tx, instance: InstanceId) -> Result<Vec<(TenantId, SipDomain)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, String)>(KNOWN_ON, instance.uuid()))?;
    rows.into_iter()
        .map(|(id, domain)| {
            let domain = Origin { table: "tenants", id }.text("domain", &domain)?;
            Ok((TenantId::from_uuid(id), domain))
        })
        .collect()
}
