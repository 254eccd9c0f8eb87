-- Requests about the platform itself may be sent again, too: they are of no tenant.

create table kept_idempotency_keys (
    -- Null where it is about the platform.
    tenant_id blob references tenants (id) on delete cascade,
    -- As the audit log names actors.
    caller text not null,
    key text not null,
    -- The digest of what was asked for.
    request text not null,
    -- JSON as text: it is answered again as it was.
    answer text not null,
    created_at integer not null
) strict;

insert into kept_idempotency_keys (tenant_id, caller, key, request, answer, created_at)
    select tenant_id, caller, key, request, answer, created_at from idempotency_keys;

drop table idempotency_keys;
alter table kept_idempotency_keys rename to idempotency_keys;

create unique index idempotency_keys_of_tenants on idempotency_keys (caller, key, tenant_id);
create unique index idempotency_keys_of_the_platform on idempotency_keys (caller, key) where tenant_id is null;
create index idempotency_keys_by_tenant on idempotency_keys (tenant_id);
create index idempotency_keys_by_age on idempotency_keys (created_at);
