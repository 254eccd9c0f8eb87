-- Calls that are over, the parts that PBXs told them in, who took part, and what was recorded of them.

-- The instance is no reference: a record outlives the PBX that told it.
create table call_records (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    instance_id blob not null,
    -- By which the PBX knows the call.
    call text not null,
    from_number text,
    from_name text,
    to_number text,
    direction text not null,
    started_at integer not null,
    answered_at integer,
    ended_at integer not null,
    duration integer not null,
    billable integer not null,
    disposition text not null,
    hangup_cause text,
    unique (instance_id, call, tenant_id)
) strict;

create index call_records_by_start on call_records (tenant_id, started_at, id);

-- What was told of it, from which the record is made anew with each part.
create table call_record_parts (
    record_id blob not null references call_records (id) on delete cascade,
    part text not null,
    -- By which a recording is named.
    channel text not null,
    told text not null,
    primary key (record_id, part)
) strict;

create index call_record_parts_by_channel on call_record_parts (channel);

-- No reference to the extension: the record stays when it is deleted.
create table call_record_extensions (
    record_id blob not null references call_records (id) on delete cascade,
    extension_id blob not null,
    primary key (record_id, extension_id)
) strict;

create index call_record_extensions_by_extension on call_record_extensions (extension_id);

-- In which a PBX may have had calls of which nothing is known.
create table call_gaps (
    instance_id blob not null,
    from_at integer not null,
    to_at integer not null,
    primary key (instance_id, from_at)
) strict;

-- Until when each PBX was listened to, so that a start knows what it has missed.
create table call_listening (
    instance_id blob not null primary key,
    heard_until integer not null
) strict;

create table recordings (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    instance_id blob not null,
    -- Below the directory of the instance's recordings.
    path text not null,
    -- The channel that was recorded; null where the file's name tells none.
    channel text,
    bytes integer not null,
    written_at integer not null,
    unique (instance_id, path)
) strict;

create index recordings_by_time on recordings (tenant_id, written_at, id);
create index recordings_by_channel on recordings (channel, tenant_id, instance_id);
-- How much there is of a tenant is told by the index alone.
create index recordings_by_length on recordings (tenant_id, bytes);
