-- What was, is and will be served: copies of tenants' configurations, sets of templates, and generations.

create table revisions (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    number integer not null,
    digest text not null,
    config text not null,
    created_at integer not null,
    unique (tenant_id, number),
    unique (tenant_id, digest),
    -- For references that hold a revision to its tenant.
    unique (tenant_id, id)
) strict;

create table template_sets (
    digest text not null primary key,
    created_at integer not null
) strict;

create table template_files (
    set_digest text not null references template_sets (digest) on delete cascade,
    path text not null,
    -- Bytes, because a text may not hold every character on both databases.
    content blob not null,
    primary key (set_digest, path)
) strict;

create table generations (
    id blob not null primary key,
    instance_id blob not null references instances (id) on delete cascade,
    number integer not null,
    template_digest text not null references template_sets (digest),
    settings_revision integer not null,
    created_at integer not null,
    unique (instance_id, number),
    -- For references that hold a generation to its instance.
    unique (instance_id, id)
) strict;

create table generation_tenants (
    generation_id blob not null references generations (id) on delete cascade,
    tenant_id blob not null references tenants (id) on delete cascade,
    revision_id blob not null,
    primary key (generation_id, tenant_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id) on delete cascade
) strict;

create index generation_tenants_by_revision on generation_tenants (tenant_id, revision_id);

-- What an instance was last proven to serve. A tenant that a PBX still serves cannot be deleted: its row
-- here goes when a deploy has proven it gone, or with the instance.
create table served (
    instance_id blob not null references instances (id) on delete cascade,
    tenant_id blob not null references tenants (id),
    revision_id blob not null,
    secrets_version integer not null,
    status text not null,
    fragments text not null,
    primary key (instance_id, tenant_id),
    foreign key (tenant_id, revision_id) references revisions (tenant_id, id)
) strict;

create index served_by_tenant on served (tenant_id, revision_id);
