-- What was, is and will be served: copies of tenants' configurations, sets of templates, and generations.

create table revisions (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    number bigint not null,
    digest text not null,
    config jsonb not null,
    created_at bigint not null,
    unique (tenant_id, number),
    unique (tenant_id, digest),
    -- For references that hold a revision to its tenant.
    unique (tenant_id, id)
);

create table template_sets (
    digest text not null primary key,
    created_at bigint not null
);

create table template_files (
    set_digest text not null references template_sets (digest) on delete cascade,
    path text collate "C" not null,
    -- Bytes, because a text may not hold every character on both databases.
    content bytea not null,
    primary key (set_digest, path)
);

create table generations (
    id uuid not null primary key,
    instance_id uuid not null references instances (id) on delete cascade,
    number bigint not null,
    template_digest text not null references template_sets (digest),
    settings_revision bigint not null,
    created_at bigint not null,
    unique (instance_id, number),
    -- For references that hold a generation to its instance.
    unique (instance_id, id)
);

create table generation_tenants (
    generation_id uuid not null references generations (id) on delete cascade,
    tenant_id uuid not null references tenants (id) on delete cascade,
    revision_id uuid not null,
    primary key (generation_id, tenant_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id) on delete cascade
);

create index generation_tenants_by_revision on generation_tenants (tenant_id, revision_id);

alter table instances
    add foreign key (id, live_generation_id) references generations (instance_id, id),
    add foreign key (id, applying_generation_id) references generations (instance_id, id);

-- What an instance was last proven to serve. A tenant that a PBX still serves cannot be deleted: its row
-- here goes when a deploy has proven it gone, or with the instance.
create table served (
    instance_id uuid not null references instances (id) on delete cascade,
    tenant_id uuid not null references tenants (id),
    revision_id uuid not null,
    secrets_version bigint not null,
    status text not null,
    fragments jsonb not null,
    primary key (instance_id, tenant_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id)
);

create index served_by_tenant on served (tenant_id, revision_id);
