-- Deployments, their stages, and the lease that lets one process at a time work on an instance.

create table deployments (
    id uuid not null primary key,
    instance_id uuid not null references instances (id) on delete cascade,
    -- tenant, tenant_rollback or platform.
    scope text collate "C" not null,
    tenant_id uuid references tenants (id) on delete cascade,
    -- What was asked for: no reference, since the record outlives the generation.
    revision_id uuid,
    status text collate "C" not null,
    requested_by text not null,
    generation_id uuid references generations (id) on delete set null,
    generation_number bigint,
    changes jsonb not null,
    findings jsonb not null,
    created_at bigint not null,
    ended_at bigint,
    check ((tenant_id is null) = (scope = 'platform')),
    check ((revision_id is not null) = (scope <> 'platform')),
    check ((ended_at is null)
        = (status in ('queued', 'planning', 'validating', 'applying', 'verifying')))
);

create index deployments_open on deployments (instance_id, created_at, id) where ended_at is null;
create index deployments_by_instance on deployments (instance_id, created_at, id);
create index deployments_by_tenant on deployments (tenant_id, created_at, id);
create index deployments_by_generation on deployments (generation_id);

create table deployment_stages (
    deployment_id uuid not null references deployments (id) on delete cascade,
    position bigint not null,
    stage text not null,
    started_at bigint not null,
    ended_at bigint,
    result text,
    detail text not null,
    primary key (deployment_id, position),
    check ((ended_at is null) = (result is null))
);

-- A deployment is in one stage at a time.
create unique index deployment_stages_running on deployment_stages (deployment_id) where ended_at is null;

-- A row stays when its lease is given back, so that the epoch never counts backwards.
create table leases (
    instance_id uuid not null primary key references instances (id) on delete cascade,
    holder text not null,
    epoch bigint not null,
    expires_at bigint not null
);
