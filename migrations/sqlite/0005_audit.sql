-- The audit log. No references: an entry outlives whom and what it names.

create table audit_entries (
    id blob not null primary key,
    at integer not null,
    actor text not null,
    action text not null,
    resource text not null,
    target_id text not null,
    tenant_id blob,
    before text,
    after text,
    reason text,
    request_id text,
    address text
) strict;

create index audit_entries_by_time on audit_entries (at, id);
create index audit_entries_by_tenant on audit_entries (tenant_id, at, id);
