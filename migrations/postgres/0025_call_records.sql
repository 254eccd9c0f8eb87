-- Calls that are over, the parts that PBXs told them in, who took part, and what was recorded of them.

-- The instance is no reference: a record outlives the PBX that told it.
create table call_records (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    instance_id uuid not null,
    -- By which the PBX knows the call.
    call text collate "C" not null,
    from_number text collate "C",
    from_name text collate "C",
    to_number text collate "C",
    direction text collate "C" not null,
    started_at bigint not null,
    answered_at bigint,
    ended_at bigint not null,
    duration bigint not null,
    billable bigint not null,
    disposition text collate "C" not null,
    hangup_cause text collate "C",
    unique (instance_id, call, tenant_id)
);

create index call_records_by_start on call_records (tenant_id, started_at, id);

-- What was told of it, from which the record is made anew with each part.
create table call_record_parts (
    record_id uuid not null references call_records (id) on delete cascade,
    part text collate "C" not null,
    -- By which a recording is named.
    channel text collate "C" not null,
    told jsonb not null,
    primary key (record_id, part)
);

create index call_record_parts_by_channel on call_record_parts (channel);

-- No reference to the extension: the record stays when it is deleted.
create table call_record_extensions (
    record_id uuid not null references call_records (id) on delete cascade,
    extension_id uuid not null,
    primary key (record_id, extension_id)
);

create index call_record_extensions_by_extension on call_record_extensions (extension_id);

-- In which a PBX may have had calls of which nothing is known.
create table call_gaps (
    instance_id uuid not null,
    from_at bigint not null,
    to_at bigint not null,
    primary key (instance_id, from_at)
);

-- Until when each PBX was listened to, so that a start knows what it has missed.
create table call_listening (
    instance_id uuid not null primary key,
    heard_until bigint not null
);

create table recordings (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    instance_id uuid not null,
    -- Below the directory of the instance's recordings.
    path text collate "C" not null,
    -- The channel that was recorded; null where the file's name tells none.
    channel text collate "C",
    bytes bigint not null,
    written_at bigint not null,
    unique (instance_id, path)
);

create index recordings_by_time on recordings (tenant_id, written_at, id);
create index recordings_by_channel on recordings (channel, tenant_id, instance_id);
-- How much there is of a tenant is told by the index alone.
create index recordings_by_length on recordings (tenant_id, bytes);

-- As SQLite has it, so that ids can be strung together in one text on both.
create function hex(id uuid) returns text language sql immutable parallel safe
    return upper(replace(id::text, '-', ''));
