-- The domains of each revision: none is given to somebody else while a PBX serves it, or may go back to it.

create table revision_domains (
    domain text collate "C" not null,
    tenant_id uuid not null,
    revision_id uuid not null,
    -- Whether the tenant had another one by then.
    former boolean not null,
    primary key (domain, tenant_id, revision_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id) on delete cascade
);

create index revision_domains_by_revision on revision_domains (tenant_id, revision_id);

insert into revision_domains (domain, tenant_id, revision_id, former)
    select config ->> 'domain', tenant_id, id, false from revisions;
insert into revision_domains (domain, tenant_id, revision_id, former)
    select alias.domain, r.tenant_id, r.id, true
    from revisions r cross join jsonb_array_elements_text(r.config -> 'aliases') alias (domain)
    on conflict do nothing;

-- The time of a former domain begins with the deploy that puts the new one live: it is null until then.
alter table tenant_domain_aliases alter column expires_at drop not null;

-- Whether a tenant was given another instance, which does not serve it yet, or not alone.
alter table tenants add column moving boolean not null default false;
create index tenants_moving on tenants (id) where moving;
update tenants set moving = true
    where exists (select 1 from served s where s.tenant_id = tenants.id and s.instance_id <> tenants.instance_id);
