-- Extensions, and their secrets.

create table extensions (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    number text not null,
    -- Both are in the settings too; they stand here for searching and sorting.
    name_key text not null,
    status text not null,
    settings text not null,
    created_at integer not null,
    updated_at integer not null,
    unique (tenant_id, number)
) strict;

-- Sealed. No reference to the extension: its secrets stay when it is deleted, since a rollback may bring it
-- back, and with its current secrets.
create table extension_secrets (
    tenant_id blob not null references tenants (id) on delete cascade,
    extension_id blob not null,
    sip blob not null,
    pin blob not null,
    primary key (tenant_id, extension_id)
) strict;
