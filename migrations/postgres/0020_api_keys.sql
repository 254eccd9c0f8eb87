-- What programs of a tenant call with. A key is good for as long as its author is; only the digest of its secret is kept.

create table api_keys (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    author_id uuid not null references users (id) on delete cascade,
    name text collate "C" not null,
    -- How the key begins, by which it is found.
    prefix text collate "C" not null unique,
    digest bytea not null,
    -- The name of the lowest built-in role that holds all of the key's rights.
    rank text collate "C" not null,
    expires_at bigint,
    last_used_at bigint,
    created_at bigint not null
);

create index api_keys_by_tenant on api_keys (tenant_id, created_at);
create index api_keys_by_author on api_keys (author_id);

create table api_key_permissions (
    api_key_id uuid not null references api_keys (id) on delete cascade,
    permission text collate "C" not null,
    primary key (api_key_id, permission)
);
