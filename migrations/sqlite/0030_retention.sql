-- For how long each tenant keeps what it has; what it says nothing of is kept forever.

create table retention (
    tenant_id blob not null references tenants (id) on delete cascade,
    kind text not null,
    days integer not null,
    primary key (tenant_id, kind)
) strict;

-- What daemons have seen of the clock of their hosts: one row for all of them.
create table trusted_time (
    clock text not null primary key check (clock = 'host'),
    -- Counts the beats: by it a daemon sees whether another one has beaten since.
    beat integer not null,
    -- Up-time in microseconds.
    up integer not null,
    -- JSON.
    seen text not null
) strict;

-- Runs that remove what is older than a tenant keeps it.
create table purges (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    requested_by text not null,
    requested_at integer not null,
    -- What the tenant kept then, as JSON, and the time that it was counted from.
    policy text not null,
    counted_from integer not null,
    status text not null,
    ended_at integer,
    check ((ended_at is null) = (status = 'running'))
) strict;

-- One at a time.
create unique index purges_running on purges (tenant_id) where ended_at is null;
create index purges_by_tenant on purges (tenant_id, requested_at, id);

-- Each kind of a purge, and of recordings each PBX. What is counted is written together with what it counts.
create table purge_parts (
    purge_id blob not null references purges (id) on delete cascade,
    position integer not null,
    kind text not null,
    -- No reference: the report outlives the PBX.
    instance_id blob,
    cutoff integer not null,
    -- Null until it begins.
    found integer,
    found_bytes integer,
    removed integer not null default 0,
    bytes integer not null default 0,
    kept integer not null default 0,
    detail text,
    -- Behind which row it goes on.
    after_at integer,
    after_id blob,
    -- The audit entry that tells of blanked payloads.
    told_by blob,
    ended_at integer,
    -- How often it failed so far, and when it is tried again.
    setbacks integer not null default 0,
    retry_at integer,
    primary key (purge_id, position)
) strict;

-- Recordings whose files are about to be removed: written before the first of them goes, and deleted with what counts them, so
-- that each file counts once, whenever whoever removes them is killed.
create table purge_files (
    purge_id blob not null references purges (id) on delete cascade,
    position integer not null,
    recording_id blob not null,
    path text not null,
    bytes integer not null,
    written_at integer not null,
    -- The host, the directory and which one that was: on another one nothing is known of them.
    place text not null,
    primary key (purge_id, position, recording_id)
) strict;

-- What there is left to blank, however much was blanked before; counted by the index alone.
create index audit_entries_with_payload on audit_entries (tenant_id, number, at, action, salt)
    where salt is not null and action <> 'compliance.purged';
-- Where recordings lie, and how much there is, is told by the index alone.
create index recordings_by_place on recordings (tenant_id, instance_id, written_at, id, bytes);
create index tickets_by_archiving on tickets (tenant_id, archived_at, id) where archived_at is not null;
