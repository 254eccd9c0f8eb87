-- PBX instances and the tenants assigned to them. Times are microseconds since 1970 in UTC, made by the
-- program. Texts that lists are sorted by have the collation "C", so that both databases sort alike.

create table instances (
    id uuid not null primary key,
    name text collate "C" not null unique,
    node text collate "C" not null,
    settings jsonb not null,
    settings_revision bigint not null,
    -- Sealed.
    ami_secret bytea not null,
    live_generation_id uuid,
    applying_generation_id uuid,
    created_at bigint not null
);

create table tenants (
    id uuid not null primary key,
    name text not null,
    -- The name in lower case, for searching and sorting.
    name_key text collate "C" not null,
    domain text collate "C" not null unique,
    status text collate "C" not null,
    instance_id uuid not null references instances (id),
    timezone text not null,
    secrets_version bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create index tenants_by_name on tenants (name_key, id);
create index tenants_by_instance on tenants (instance_id);
