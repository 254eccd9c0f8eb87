-- Which domains a tenant has had, and since when a PBX may have served it so: revisions told it, which go once nothing needs them.
create table domain_tenures (
    domain text not null,
    tenant_id blob not null references tenants (id) on delete cascade,
    -- When the first revision with it was taken.
    since integer not null,
    primary key (domain, tenant_id)
) strict;

create index domain_tenures_by_tenant on domain_tenures (tenant_id, domain);

insert into domain_tenures (domain, tenant_id, since)
    select d.domain, d.tenant_id, min(r.created_at)
    from revision_domains d join revisions r on r.tenant_id = d.tenant_id and r.id = d.revision_id
    group by d.domain, d.tenant_id;

-- The number of the newest revision, which may be gone: none is given twice.
alter table tenants add column last_revision integer not null default 0;
update tenants set last_revision = coalesce((select max(r.number) from revisions r where r.tenant_id = tenants.id), 0);

-- Whether a deploy that has not ended is to serve a revision.
create index deployments_open_by_revision on deployments (tenant_id, revision_id) where ended_at is null;
