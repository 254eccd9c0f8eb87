-- The domains of each revision: none is given to somebody else while a PBX serves it, or may go back to it.

create table revision_domains (
    domain text not null,
    tenant_id blob not null,
    revision_id blob not null,
    -- Whether the tenant had another one by then.
    former integer not null,
    primary key (domain, tenant_id, revision_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id) on delete cascade
) strict;

create index revision_domains_by_revision on revision_domains (tenant_id, revision_id);

insert into revision_domains (domain, tenant_id, revision_id, former)
    select json_extract(config, '$.domain'), tenant_id, id, 0 from revisions;
insert or ignore into revision_domains (domain, tenant_id, revision_id, former)
    select alias.value, r.tenant_id, r.id, 1 from revisions r, json_each(r.config, '$.aliases') alias;

-- The time of a former domain begins with the deploy that puts the new one live: it is null until then.
create table former_domains (
    domain text not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    expires_at integer
) strict;

insert into former_domains (domain, tenant_id, expires_at) select domain, tenant_id, expires_at from tenant_domain_aliases;
drop table tenant_domain_aliases;
alter table former_domains rename to tenant_domain_aliases;
create index tenant_domain_aliases_by_tenant on tenant_domain_aliases (tenant_id);
create index tenant_domain_aliases_by_end on tenant_domain_aliases (expires_at);

-- Whether a tenant was given another instance, which does not serve it yet, or not alone.
alter table tenants add column moving integer not null default 0;
create index tenants_moving on tenants (id) where moving;
update tenants set moving = 1
    where exists (select 1 from served s where s.tenant_id = tenants.id and s.instance_id <> tenants.instance_id);
