-- The version of an extension, and the answers of requests that may be sent again.

-- Counts the changes: two of them may happen in the same microsecond.
alter table extensions add column version integer not null default 1;

-- Written in the transaction of what the request did, so that neither is there without the other.
create table idempotency_keys (
    tenant_id blob not null references tenants (id) on delete cascade,
    -- As the audit log names actors.
    caller text not null,
    key text not null,
    -- The digest of what was asked for.
    request text not null,
    -- JSON as text: it is answered again as it was.
    answer text not null,
    created_at integer not null,
    primary key (tenant_id, caller, key)
) strict;

create index idempotency_keys_by_age on idempotency_keys (tenant_id, created_at);
