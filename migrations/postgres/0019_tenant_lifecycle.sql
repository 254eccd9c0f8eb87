-- What a suspension means for the tenant's phones, and why it is there.

alter table tenants add column suspension_policy text collate "C" not null default 'block_outbound';
alter table tenants add column suspension_category text collate "C";
alter table tenants add column suspension_reason text collate "C";
alter table tenants add column suspended_at bigint;

-- What of a tenant is served, whatever its status. Until now all of it was.
alter table served rename column status to service;
update served set service = 'open';

-- Of a tenant that is gone its id is kept here, and its name in the audit log only.
alter table generation_tombstones drop column name;

-- The former domains of a tenant, at which its phones may sign in for a while.
create table tenant_domain_aliases (
    domain text collate "C" not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    expires_at bigint not null
);

create index tenant_domain_aliases_by_tenant on tenant_domain_aliases (tenant_id);
create index tenant_domain_aliases_by_end on tenant_domain_aliases (expires_at);

-- What tests of a connection found: the newest says how an instance is, the others how it was.
create table instance_checks (
    instance_id uuid not null references instances (id) on delete cascade,
    at bigint not null,
    ok boolean not null,
    checks jsonb not null,
    primary key (instance_id, at)
);
