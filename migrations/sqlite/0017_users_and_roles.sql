-- Who may sign in, and what they may do: roles, users, sessions, tokens that work once; the limits of tenants.

-- The four without tenant are built in; the product never changes them. Whoever acts on a user or gives a role is held to
-- the rank, which is the name of a built-in role.
create table roles (
    id blob not null primary key,
    tenant_id blob references tenants (id) on delete cascade,
    name text not null,
    rank text not null,
    created_at integer not null,
    updated_at integer not null,
    unique (tenant_id, name)
) strict;

create table role_permissions (
    role_id blob not null references roles (id) on delete cascade,
    permission text not null,
    primary key (role_id, permission)
) strict;

insert into roles (id, tenant_id, name, rank, created_at, updated_at) values
    (x'00000000000070008000000000000001', null, 'owner', 'owner', 0, 0),
    (x'00000000000070008000000000000002', null, 'admin', 'admin', 0, 0),
    (x'00000000000070008000000000000003', null, 'manager', 'manager', 0, 0),
    (x'00000000000070008000000000000004', null, 'agent', 'agent', 0, 0);

insert into role_permissions (role_id, permission) values
    (x'00000000000070008000000000000001', 'org.settings.read'),
    (x'00000000000070008000000000000001', 'org.settings.write'),
    (x'00000000000070008000000000000001', 'org.api_keys'),
    (x'00000000000070008000000000000001', 'org.billing'),
    (x'00000000000070008000000000000001', 'config.read'),
    (x'00000000000070008000000000000001', 'config.write'),
    (x'00000000000070008000000000000001', 'config.deploy'),
    (x'00000000000070008000000000000001', 'users.create'),
    (x'00000000000070008000000000000001', 'users.delete'),
    (x'00000000000070008000000000000001', 'users.assign_role'),
    (x'00000000000070008000000000000001', 'users.list'),
    (x'00000000000070008000000000000001', 'users.view_self'),
    (x'00000000000070008000000000000001', 'calls.view_all'),
    (x'00000000000070008000000000000001', 'calls.view_own'),
    (x'00000000000070008000000000000001', 'calls.listen_recording'),
    (x'00000000000070008000000000000001', 'calls.download_recording'),
    (x'00000000000070008000000000000001', 'calls.delete_recording'),
    (x'00000000000070008000000000000001', 'calls.click_to_call'),
    (x'00000000000070008000000000000001', 'tickets.view'),
    (x'00000000000070008000000000000001', 'tickets.create'),
    (x'00000000000070008000000000000001', 'tickets.update'),
    (x'00000000000070008000000000000001', 'tickets.delete'),
    (x'00000000000070008000000000000001', 'workflows.read'),
    (x'00000000000070008000000000000001', 'workflows.write'),
    (x'00000000000070008000000000000001', 'bots.manage'),
    (x'00000000000070008000000000000001', 'compliance.read'),
    (x'00000000000070008000000000000001', 'compliance.write'),
    (x'00000000000070008000000000000001', 'audit_log.read'),
    (x'00000000000070008000000000000001', 'data.export'),
    (x'00000000000070008000000000000001', 'data.erasure');

insert into role_permissions (role_id, permission) values
    (x'00000000000070008000000000000002', 'org.settings.read'),
    (x'00000000000070008000000000000002', 'org.settings.write'),
    (x'00000000000070008000000000000002', 'org.billing'),
    (x'00000000000070008000000000000002', 'config.read'),
    (x'00000000000070008000000000000002', 'config.write'),
    (x'00000000000070008000000000000002', 'config.deploy'),
    (x'00000000000070008000000000000002', 'users.create'),
    (x'00000000000070008000000000000002', 'users.delete'),
    (x'00000000000070008000000000000002', 'users.assign_role'),
    (x'00000000000070008000000000000002', 'users.list'),
    (x'00000000000070008000000000000002', 'users.view_self'),
    (x'00000000000070008000000000000002', 'calls.view_all'),
    (x'00000000000070008000000000000002', 'calls.view_own'),
    (x'00000000000070008000000000000002', 'calls.listen_recording'),
    (x'00000000000070008000000000000002', 'calls.download_recording'),
    (x'00000000000070008000000000000002', 'calls.delete_recording'),
    (x'00000000000070008000000000000002', 'calls.click_to_call'),
    (x'00000000000070008000000000000002', 'tickets.view'),
    (x'00000000000070008000000000000002', 'tickets.create'),
    (x'00000000000070008000000000000002', 'tickets.update'),
    (x'00000000000070008000000000000002', 'tickets.delete'),
    (x'00000000000070008000000000000002', 'workflows.read'),
    (x'00000000000070008000000000000002', 'workflows.write'),
    (x'00000000000070008000000000000002', 'bots.manage'),
    (x'00000000000070008000000000000002', 'compliance.read'),
    (x'00000000000070008000000000000002', 'compliance.write'),
    (x'00000000000070008000000000000002', 'audit_log.read'),
    (x'00000000000070008000000000000002', 'data.export'),
    (x'00000000000070008000000000000002', 'data.erasure');

insert into role_permissions (role_id, permission) values
    (x'00000000000070008000000000000003', 'config.read'),
    (x'00000000000070008000000000000003', 'users.list'),
    (x'00000000000070008000000000000003', 'users.view_self'),
    (x'00000000000070008000000000000003', 'calls.view_all'),
    (x'00000000000070008000000000000003', 'calls.view_own'),
    (x'00000000000070008000000000000003', 'calls.listen_recording'),
    (x'00000000000070008000000000000003', 'calls.click_to_call'),
    (x'00000000000070008000000000000003', 'tickets.view'),
    (x'00000000000070008000000000000003', 'tickets.create'),
    (x'00000000000070008000000000000003', 'tickets.update'),
    (x'00000000000070008000000000000003', 'tickets.delete'),
    (x'00000000000070008000000000000003', 'workflows.read'),
    (x'00000000000070008000000000000003', 'compliance.read'),
    (x'00000000000070008000000000000003', 'audit_log.read');

insert into role_permissions (role_id, permission) values
    (x'00000000000070008000000000000004', 'config.read'),
    (x'00000000000070008000000000000004', 'users.view_self'),
    (x'00000000000070008000000000000004', 'calls.view_own'),
    (x'00000000000070008000000000000004', 'calls.click_to_call'),
    (x'00000000000070008000000000000004', 'tickets.view'),
    (x'00000000000070008000000000000004', 'tickets.create'),
    (x'00000000000070008000000000000004', 'tickets.update');

-- Only a platform manager may be without a tenant, and without one there is no role.
create table users (
    id blob not null primary key,
    tenant_id blob references tenants (id) on delete cascade,
    -- In lower case.
    email text not null unique,
    name text not null,
    -- The name in lower case, for searching and sorting.
    name_key text not null,
    role_id blob references roles (id),
    status text not null,
    platform_manager integer not null,
    contact text not null,
    -- The number's account that is this user's phone; of the same tenant.
    extension_id blob unique references extensions (id) on delete set null,
    -- Argon2id, in the form that names its parameters; null where there is no sign-in by password.
    password_hash text,
    -- Whom an OpenID issuer knows the user as.
    issuer text,
    subject text,
    last_login_at integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    unique (issuer, subject),
    check ((tenant_id is null) = (role_id is null)),
    check (tenant_id is not null or platform_manager = 1),
    check ((issuer is null) = (subject is null))
) strict;

create index users_by_tenant on users (tenant_id, name_key, id);
create index users_by_role on users (role_id);
create index users_by_name on users (name_key, id);

-- A session ends when it is deleted, when it was not used for as long as the tenant says, and at the latest at its end.
create table sessions (
    id blob not null primary key,
    user_id blob not null references users (id) on delete cascade,
    created_at integer not null,
    last_used_at integer not null,
    expires_at integer not null,
    address text,
    agent text
) strict;

create index sessions_by_user on sessions (user_id);

-- What an invitation or the reset of a password is proven by. Only the digest is kept.
create table one_time_tokens (
    id blob not null primary key,
    user_id blob not null references users (id) on delete cascade,
    purpose text not null,
    digest blob not null unique,
    created_at integer not null,
    expires_at integer not null,
    unique (user_id, purpose)
) strict;

-- One row: whoever changes who manages the platform holds it, so that of two who take the last from each other one waits.
create table platform (
    only_row text not null primary key check (only_row = 'the platform')
) strict;

insert into platform (only_row) values ('the platform');

-- Null: no limit.
alter table tenants add column session_timeout_minutes integer not null default 60;
alter table tenants add column max_users integer;
alter table tenants add column max_extensions integer;
alter table tenants add column max_concurrent_calls integer;
