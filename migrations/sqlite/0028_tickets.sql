-- What people of a tenant ask for or report, and what was said about it.

create table tickets (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    subject text not null,
    state text not null,
    -- No reference: a ticket outlives who opened it, who looks after it, and the extension that it is about.
    opened_by_kind text not null,
    opened_by_id blob,
    opened_by_name text not null,
    assignee_id blob,
    assignee_name text,
    extension_id blob,
    extension_number text,
    comments integer not null,
    archived integer not null,
    archived_at integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    -- The last one: it is long, and what stands behind it is read through it.
    text text not null,
    check ((assignee_id is null) = (assignee_name is null)),
    check ((extension_id is null) = (extension_number is null))
) strict;

create index tickets_by_time on tickets (tenant_id, archived, created_at, id);
create index tickets_by_state on tickets (tenant_id, archived, state, created_at, id);
create index tickets_by_opener on tickets (tenant_id, archived, opened_by_id, created_at, id);
create index tickets_by_opener_and_state on tickets (tenant_id, archived, opened_by_id, state, created_at, id);
create index tickets_by_assignee on tickets (tenant_id, archived, assignee_id, created_at, id);
create index tickets_by_assignee_and_state on tickets (tenant_id, archived, assignee_id, state, created_at, id);

create table ticket_comments (
    id blob not null primary key,
    ticket_id blob not null references tickets (id) on delete cascade,
    tenant_id blob not null references tenants (id) on delete cascade,
    author_kind text not null,
    author_id blob,
    author_name text not null,
    created_at integer not null,
    text text not null
) strict;

create index ticket_comments_by_ticket on ticket_comments (ticket_id, created_at, id);
create index ticket_comments_by_author on ticket_comments (tenant_id, author_id, created_at);
