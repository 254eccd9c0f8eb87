-- Who may sign in, and what they may do: roles, users, sessions, tokens that work once; the limits of tenants.

-- The four without tenant are built in; the product never changes them. Whoever acts on a user or gives a role is held to
-- the rank, which is the name of a built-in role.
create table roles (
    id uuid not null primary key,
    tenant_id uuid references tenants (id) on delete cascade,
    name text collate "C" not null,
    rank text collate "C" not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (tenant_id, name)
);

create table role_permissions (
    role_id uuid not null references roles (id) on delete cascade,
    permission text collate "C" not null,
    primary key (role_id, permission)
);

insert into roles (id, tenant_id, name, rank, created_at, updated_at) values
    ('00000000-0000-7000-8000-000000000001', null, 'owner', 'owner', 0, 0),
    ('00000000-0000-7000-8000-000000000002', null, 'admin', 'admin', 0, 0),
    ('00000000-0000-7000-8000-000000000003', null, 'manager', 'manager', 0, 0),
    ('00000000-0000-7000-8000-000000000004', null, 'agent', 'agent', 0, 0);

insert into role_permissions (role_id, permission) values
    ('00000000-0000-7000-8000-000000000001', 'org.settings.read'),
    ('00000000-0000-7000-8000-000000000001', 'org.settings.write'),
    ('00000000-0000-7000-8000-000000000001', 'org.api_keys'),
    ('00000000-0000-7000-8000-000000000001', 'org.billing'),
    ('00000000-0000-7000-8000-000000000001', 'config.read'),
    ('00000000-0000-7000-8000-000000000001', 'config.write'),
    ('00000000-0000-7000-8000-000000000001', 'config.deploy'),
    ('00000000-0000-7000-8000-000000000001', 'users.create'),
    ('00000000-0000-7000-8000-000000000001', 'users.delete'),
    ('00000000-0000-7000-8000-000000000001', 'users.assign_role'),
    ('00000000-0000-7000-8000-000000000001', 'users.list'),
    ('00000000-0000-7000-8000-000000000001', 'users.view_self'),
    ('00000000-0000-7000-8000-000000000001', 'calls.view_all'),
    ('00000000-0000-7000-8000-000000000001', 'calls.view_own'),
    ('00000000-0000-7000-8000-000000000001', 'calls.listen_recording'),
    ('00000000-0000-7000-8000-000000000001', 'calls.download_recording'),
    ('00000000-0000-7000-8000-000000000001', 'calls.delete_recording'),
    ('00000000-0000-7000-8000-000000000001', 'calls.click_to_call'),
    ('00000000-0000-7000-8000-000000000001', 'tickets.view'),
    ('00000000-0000-7000-8000-000000000001', 'tickets.create'),
    ('00000000-0000-7000-8000-000000000001', 'tickets.update'),
    ('00000000-0000-7000-8000-000000000001', 'tickets.delete'),
    ('00000000-0000-7000-8000-000000000001', 'workflows.read'),
    ('00000000-0000-7000-8000-000000000001', 'workflows.write'),
    ('00000000-0000-7000-8000-000000000001', 'bots.manage'),
    ('00000000-0000-7000-8000-000000000001', 'compliance.read'),
    ('00000000-0000-7000-8000-000000000001', 'compliance.write'),
    ('00000000-0000-7000-8000-000000000001', 'audit_log.read'),
    ('00000000-0000-7000-8000-000000000001', 'data.export'),
    ('00000000-0000-7000-8000-000000000001', 'data.erasure');

insert into role_permissions (role_id, permission) values
    ('00000000-0000-7000-8000-000000000002', 'org.settings.read'),
    ('00000000-0000-7000-8000-000000000002', 'org.settings.write'),
    ('00000000-0000-7000-8000-000000000002', 'org.billing'),
    ('00000000-0000-7000-8000-000000000002', 'config.read'),
    ('00000000-0000-7000-8000-000000000002', 'config.write'),
    ('00000000-0000-7000-8000-000000000002', 'config.deploy'),
    ('00000000-0000-7000-8000-000000000002', 'users.create'),
    ('00000000-0000-7000-8000-000000000002', 'users.delete'),
    ('00000000-0000-7000-8000-000000000002', 'users.assign_role'),
    ('00000000-0000-7000-8000-000000000002', 'users.list'),
    ('00000000-0000-7000-8000-000000000002', 'users.view_self'),
    ('00000000-0000-7000-8000-000000000002', 'calls.view_all'),
    ('00000000-0000-7000-8000-000000000002', 'calls.view_own'),
    ('00000000-0000-7000-8000-000000000002', 'calls.listen_recording'),
    ('00000000-0000-7000-8000-000000000002', 'calls.download_recording'),
    ('00000000-0000-7000-8000-000000000002', 'calls.delete_recording'),
    ('00000000-0000-7000-8000-000000000002', 'calls.click_to_call'),
    ('00000000-0000-7000-8000-000000000002', 'tickets.view'),
    ('00000000-0000-7000-8000-000000000002', 'tickets.create'),
    ('00000000-0000-7000-8000-000000000002', 'tickets.update'),
    ('00000000-0000-7000-8000-000000000002', 'tickets.delete'),
    ('00000000-0000-7000-8000-000000000002', 'workflows.read'),
    ('00000000-0000-7000-8000-000000000002', 'workflows.write'),
    ('00000000-0000-7000-8000-000000000002', 'bots.manage'),
    ('00000000-0000-7000-8000-000000000002', 'compliance.read'),
    ('00000000-0000-7000-8000-000000000002', 'compliance.write'),
    ('00000000-0000-7000-8000-000000000002', 'audit_log.read'),
    ('00000000-0000-7000-8000-000000000002', 'data.export'),
    ('00000000-0000-7000-8000-000000000002', 'data.erasure');

insert into role_permissions (role_id, permission) values
    ('00000000-0000-7000-8000-000000000003', 'config.read'),
    ('00000000-0000-7000-8000-000000000003', 'users.list'),
    ('00000000-0000-7000-8000-000000000003', 'users.view_self'),
    ('00000000-0000-7000-8000-000000000003', 'calls.view_all'),
    ('00000000-0000-7000-8000-000000000003', 'calls.view_own'),
    ('00000000-0000-7000-8000-000000000003', 'calls.listen_recording'),
    ('00000000-0000-7000-8000-000000000003', 'calls.click_to_call'),
    ('00000000-0000-7000-8000-000000000003', 'tickets.view'),
    ('00000000-0000-7000-8000-000000000003', 'tickets.create'),
    ('00000000-0000-7000-8000-000000000003', 'tickets.update'),
    ('00000000-0000-7000-8000-000000000003', 'tickets.delete'),
    ('00000000-0000-7000-8000-000000000003', 'workflows.read'),
    ('00000000-0000-7000-8000-000000000003', 'compliance.read'),
    ('00000000-0000-7000-8000-000000000003', 'audit_log.read');

insert into role_permissions (role_id, permission) values
    ('00000000-0000-7000-8000-000000000004', 'config.read'),
    ('00000000-0000-7000-8000-000000000004', 'users.view_self'),
    ('00000000-0000-7000-8000-000000000004', 'calls.view_own'),
    ('00000000-0000-7000-8000-000000000004', 'calls.click_to_call'),
    ('00000000-0000-7000-8000-000000000004', 'tickets.view'),
    ('00000000-0000-7000-8000-000000000004', 'tickets.create'),
    ('00000000-0000-7000-8000-000000000004', 'tickets.update');

-- Only a platform manager may be without a tenant, and without one there is no role.
create table users (
    id uuid not null primary key,
    tenant_id uuid references tenants (id) on delete cascade,
    -- In lower case.
    email text collate "C" not null unique,
    name text not null,
    -- The name in lower case, for searching and sorting.
    name_key text collate "C" not null,
    role_id uuid references roles (id),
    status text collate "C" not null,
    platform_manager boolean not null,
    contact jsonb not null,
    -- The number's account that is this user's phone; of the same tenant.
    extension_id uuid unique references extensions (id) on delete set null,
    -- Argon2id, in the form that names its parameters; null where there is no sign-in by password.
    password_hash text,
    -- Whom an OpenID issuer knows the user as.
    issuer text,
    subject text,
    last_login_at bigint,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (issuer, subject),
    check ((tenant_id is null) = (role_id is null)),
    check (tenant_id is not null or platform_manager),
    check ((issuer is null) = (subject is null))
);

create index users_by_tenant on users (tenant_id, name_key, id);
create index users_by_role on users (role_id);
create index users_by_name on users (name_key, id);

-- A session ends when it is deleted, when it was not used for as long as the tenant says, and at the latest at its end.
create table sessions (
    id uuid not null primary key,
    user_id uuid not null references users (id) on delete cascade,
    created_at bigint not null,
    last_used_at bigint not null,
    expires_at bigint not null,
    address text,
    agent text
);

create index sessions_by_user on sessions (user_id);

-- What an invitation or the reset of a password is proven by. Only the digest is kept.
create table one_time_tokens (
    id uuid not null primary key,
    user_id uuid not null references users (id) on delete cascade,
    purpose text collate "C" not null,
    digest bytea not null unique,
    created_at bigint not null,
    expires_at bigint not null,
    unique (user_id, purpose)
);

-- One row: whoever changes who manages the platform holds it, so that of two who take the last from each other one waits.
create table platform (
    only_row text collate "C" not null primary key check (only_row = 'the platform')
);

insert into platform (only_row) values ('the platform');

-- Null: no limit.
alter table tenants add column session_timeout_minutes bigint not null default 60;
alter table tenants add column max_users bigint;
alter table tenants add column max_extensions bigint;
alter table tenants add column max_concurrent_calls bigint;
