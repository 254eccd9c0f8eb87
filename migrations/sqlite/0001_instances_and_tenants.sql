-- PBX instances and the tenants assigned to them. Times are microseconds since 1970 in UTC, made by the
-- program. Ids are the 16 bytes of a UUID.

create table instances (
    id blob not null primary key,
    name text not null unique,
    node text not null,
    settings text not null,
    settings_revision integer not null,
    -- Sealed.
    ami_secret blob not null,
    live_generation_id blob,
    applying_generation_id blob,
    created_at integer not null,
    foreign key (id, live_generation_id) references generations (instance_id, id),
    foreign key (id, applying_generation_id) references generations (instance_id, id)
) strict;

create table tenants (
    id blob not null primary key,
    name text not null,
    -- The name in lower case, for searching and sorting.
    name_key text not null,
    domain text not null unique,
    status text not null,
    instance_id blob not null references instances (id),
    timezone text not null,
    secrets_version integer not null,
    created_at integer not null,
    updated_at integer not null
) strict;

create index tenants_by_name on tenants (name_key, id);
create index tenants_by_instance on tenants (instance_id);
