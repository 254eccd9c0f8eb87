-- What people of a tenant ask for or report, and what was said about it.

create table tickets (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    subject text collate "C" not null,
    state text collate "C" not null,
    -- No reference: a ticket outlives who opened it, who looks after it, and the extension that it is about.
    opened_by_kind text collate "C" not null,
    opened_by_id uuid,
    opened_by_name text collate "C" not null,
    assignee_id uuid,
    assignee_name text collate "C",
    extension_id uuid,
    extension_number text collate "C",
    comments bigint not null,
    archived boolean not null,
    archived_at bigint,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    -- The last one: it is long, and what stands behind it is read through it.
    text text collate "C" not null,
    check ((assignee_id is null) = (assignee_name is null)),
    check ((extension_id is null) = (extension_number is null))
);

create index tickets_by_time on tickets (tenant_id, archived, created_at, id);
create index tickets_by_state on tickets (tenant_id, archived, state, created_at, id);
create index tickets_by_opener on tickets (tenant_id, archived, opened_by_id, created_at, id);
create index tickets_by_opener_and_state on tickets (tenant_id, archived, opened_by_id, state, created_at, id);
create index tickets_by_assignee on tickets (tenant_id, archived, assignee_id, created_at, id);
create index tickets_by_assignee_and_state on tickets (tenant_id, archived, assignee_id, state, created_at, id);

create table ticket_comments (
    id uuid not null primary key,
    ticket_id uuid not null references tickets (id) on delete cascade,
    tenant_id uuid not null references tenants (id) on delete cascade,
    author_kind text collate "C" not null,
    author_id uuid,
    author_name text collate "C" not null,
    created_at bigint not null,
    text text collate "C" not null
);

create index ticket_comments_by_ticket on ticket_comments (ticket_id, created_at, id);
create index ticket_comments_by_author on ticket_comments (tenant_id, author_id, created_at);
