-- Extensions, and their secrets.

create table extensions (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    number text collate "C" not null,
    -- Both are in the settings too; they stand here for searching and sorting.
    name_key text collate "C" not null,
    status text collate "C" not null,
    settings jsonb not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (tenant_id, number)
);

-- Sealed. No reference to the extension: its secrets stay when it is deleted, since a rollback may bring it
-- back, and with its current secrets.
create table extension_secrets (
    tenant_id uuid not null references tenants (id) on delete cascade,
    extension_id uuid not null,
    sip bytea not null,
    pin bytea not null,
    primary key (tenant_id, extension_id)
);
