-- For how long each tenant keeps what it has; what it says nothing of is kept forever.

create table retention (
    tenant_id uuid not null references tenants (id) on delete cascade,
    kind text collate "C" not null,
    days bigint not null,
    primary key (tenant_id, kind)
);

-- What daemons have seen of the clock of their hosts: one row for all of them.
create table trusted_time (
    clock text collate "C" not null primary key check (clock = 'host'),
    -- Counts the beats: by it a daemon sees whether another one has beaten since.
    beat bigint not null,
    -- Up-time in microseconds.
    up bigint not null,
    -- JSON.
    seen text collate "C" not null
);

-- Runs that remove what is older than a tenant keeps it.
create table purges (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    requested_by text collate "C" not null,
    requested_at bigint not null,
    -- What the tenant kept then, and the time that it was counted from.
    policy jsonb not null,
    counted_from bigint not null,
    status text collate "C" not null,
    ended_at bigint,
    check ((ended_at is null) = (status = 'running'))
);

-- One at a time.
create unique index purges_running on purges (tenant_id) where ended_at is null;
create index purges_by_tenant on purges (tenant_id, requested_at, id);

-- Each kind of a purge, and of recordings each PBX. What is counted is written together with what it counts.
create table purge_parts (
    purge_id uuid not null references purges (id) on delete cascade,
    position bigint not null,
    kind text collate "C" not null,
    -- No reference: the report outlives the PBX.
    instance_id uuid,
    cutoff bigint not null,
    -- Null until it begins.
    found bigint,
    found_bytes bigint,
    removed bigint not null default 0,
    bytes bigint not null default 0,
    kept bigint not null default 0,
    detail text collate "C",
    -- Behind which row it goes on.
    after_at bigint,
    after_id uuid,
    -- The audit entry that tells of blanked payloads.
    told_by uuid,
    ended_at bigint,
    -- How often it failed so far, and when it is tried again.
    setbacks bigint not null default 0,
    retry_at bigint,
    primary key (purge_id, position)
);

-- Recordings whose files are about to be removed: written before the first of them goes, and deleted with what counts them, so
-- that each file counts once, whenever whoever removes them is killed.
create table purge_files (
    purge_id uuid not null references purges (id) on delete cascade,
    position bigint not null,
    recording_id uuid not null,
    path text collate "C" not null,
    bytes bigint not null,
    written_at bigint not null,
    -- The host, the directory and which one that was: on another one nothing is known of them.
    place text not null,
    primary key (purge_id, position, recording_id)
);

-- What there is left to blank, however much was blanked before; counted by the index alone.
create index audit_entries_with_payload on audit_entries (tenant_id, number, at)
    where salt is not null and action <> 'compliance.purged';
-- Where recordings lie, and how much there is, is told by the index alone.
create index recordings_by_place on recordings (tenant_id, instance_id, written_at, id, bytes);
create index tickets_by_archiving on tickets (tenant_id, archived_at, id) where archived_at is not null;
