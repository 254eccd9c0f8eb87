-- Which key the secrets are sealed with, and no more answers of repeated requests by a digest that anybody can compute.

-- One row, made with the first secret and never changed: whoever seals opens it first.
create table sealing_keys (
    seals text collate "C" not null primary key check (seals = 'all secrets'),
    -- A known text, sealed.
    mark bytea not null
);

-- Their digests were made without a key, of bodies that may have held a PIN.
delete from idempotency_keys;

-- What is too old is looked for in all tenants.
drop index idempotency_keys_by_age;
create index idempotency_keys_by_age on idempotency_keys (created_at);
