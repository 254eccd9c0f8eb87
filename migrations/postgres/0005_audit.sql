-- The audit log. No references: an entry outlives whom and what it names.

create table audit_entries (
    id uuid not null primary key,
    at bigint not null,
    actor text collate "C" not null,
    action text collate "C" not null,
    resource text collate "C" not null,
    target_id text not null,
    tenant_id uuid,
    before jsonb,
    after jsonb,
    reason text,
    request_id text,
    address text
);

create index audit_entries_by_time on audit_entries (at, id);
create index audit_entries_by_tenant on audit_entries (tenant_id, at, id);
