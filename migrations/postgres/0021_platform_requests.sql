-- Requests about the platform itself may be sent again, too: they are of no tenant.

alter table idempotency_keys drop constraint idempotency_keys_pkey;
-- Null where it is about the platform.
alter table idempotency_keys alter column tenant_id drop not null;

create unique index idempotency_keys_of_tenants on idempotency_keys (caller, key, tenant_id);
create unique index idempotency_keys_of_the_platform on idempotency_keys (caller, key) where tenant_id is null;
create index idempotency_keys_by_tenant on idempotency_keys (tenant_id);
drop index idempotency_keys_by_age;
create index idempotency_keys_by_age on idempotency_keys (created_at);
