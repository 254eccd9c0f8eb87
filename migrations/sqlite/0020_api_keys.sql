-- What programs of a tenant call with. A key is good for as long as its author is; only the digest of its secret is kept.

create table api_keys (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    author_id blob not null references users (id) on delete cascade,
    name text not null,
    -- How the key begins, by which it is found.
    prefix text not null unique,
    digest blob not null,
    -- The name of the lowest built-in role that holds all of the key's rights.
    rank text not null,
    expires_at integer,
    last_used_at integer,
    created_at integer not null
) strict;

create index api_keys_by_tenant on api_keys (tenant_id, created_at);
create index api_keys_by_author on api_keys (author_id);

create table api_key_permissions (
    api_key_id blob not null references api_keys (id) on delete cascade,
    permission text not null,
    primary key (api_key_id, permission)
) strict;
