-- Erasures of what a tenant has of a person: looked for, run, and certified.
create table erasures (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    requested_by text not null,
    requested_at integer not null,
    -- JSON; of a number without it, once nothing is left that needs it.
    subject text not null,
    -- By what else the person is found, as JSON; null once nothing is left that needs it.
    marks text,
    call_records text not null,
    -- What was found before, as JSON.
    preview text not null,
    status text not null,
    run_by text,
    run_at integer,
    -- When what there is was noted to be erased; null before, each time that it is run.
    noted_at integer,
    ended_at integer,
    check ((run_at is null) = (status = 'open')),
    check ((ended_at is null) = (status in ('open', 'running')))
) strict;

-- One at a time.
create unique index erasures_running on erasures (tenant_id) where status = 'running';
create index erasures_by_tenant on erasures (tenant_id, requested_at, id);
create index erasures_open on erasures (requested_at) where status = 'open';
create index erasures_kept on erasures (ended_at) where status = 'partial' and marks is not null;

-- Each place of an erasure. What is counted is written together with what it counts.
create table erasure_parts (
    erasure_id blob not null references erasures (id) on delete cascade,
    position integer not null,
    place text not null,
    -- No reference: the certificate outlives the PBX.
    instance_id blob,
    -- Null until its host has looked.
    found integer,
    erased integer not null default 0,
    bytes integer not null default 0,
    kept integer not null default 0,
    detail text,
    ended_at integer,
    primary key (erasure_id, position)
) strict;

-- What is left to erase, by its id; gone once that is done and counted.
create table erasure_targets (
    erasure_id blob not null,
    position integer not null,
    target blob not null,
    -- Where a file or a message was when its removal began: the host, the directory and which one that was.
    begun_at text,
    -- Whether it was tried and stays.
    kept integer not null default 0,
    primary key (erasure_id, position, target),
    foreign key (erasure_id, position) references erasure_parts (erasure_id, position) on delete cascade,
    check (kept in (0, 1))
) strict;

-- What tells of payloads that an erasure blanked, and what a certificate is held against, stays, as what tells of a purge does.
drop index audit_entries_with_payload;
create index audit_entries_with_payload on audit_entries (tenant_id, number, at, action, salt)
    where salt is not null and action <> 'compliance.purged' and action <> 'compliance.erased'
    and action <> 'data.erasure_end';

-- Whether somebody was taken out of the record: what is told of the call after that is not added, for it would bring them back.
alter table call_records add column erased integer not null default 0 check (erased in (0, 1));
