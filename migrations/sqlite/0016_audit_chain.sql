-- The audit log as a chain: the digest of each entry covers the digest of the one before it.

-- What was written until now goes into the chain as it stands, by the migrating program, which then drops this table.
alter table audit_entries rename to audit_entries_unchained;
drop index audit_entries_by_time;
drop index audit_entries_by_tenant;

create table audit_entries (
    id blob not null primary key check (length(id) = 16),
    -- Its place in the log, from 1 on, without gaps.
    number integer not null unique,
    at integer not null,
    actor_kind text not null,
    actor_id blob check (length(actor_id) = 16),
    operating_as integer not null,
    action text not null,
    resource text not null,
    target_id text not null,
    tenant_id blob check (length(tenant_id) = 16),
    payload_digest blob not null,
    digest blob not null,
    -- The payload: what may say something of a person. All of it is null once it is blanked. Texts, so that they are
    -- digested byte by byte as they were written.
    salt blob,
    actor_name text,
    before text,
    after text,
    reason text,
    request_id text,
    address text,
    agent text,
    -- The entry that tells of the blanking.
    blanked_by blob check (length(blanked_by) = 16),
    check ((salt is null) = (blanked_by is not null)),
    check ((salt is null) = (actor_name is null))
) strict;

create index audit_entries_by_time on audit_entries (at, id);
create index audit_entries_by_tenant on audit_entries (tenant_id, at, id);

-- The last entry. Each transaction that writes entries changes this row, so that they come one after the other.
create table audit_head (
    log text not null primary key check (log = 'audit'),
    number integer not null,
    digest blob not null
) strict;

insert into audit_head (log, number, digest) values ('audit', 0, zeroblob(32));
