-- Messages in mail boxes, as they were found on the PBX when it was looked at last.
create table voicemail_messages (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    instance_id uuid not null references instances (id) on delete cascade,
    -- The context of the mail box.
    domain text collate "C" not null,
    mailbox text collate "C" not null,
    -- By which the PBX knows it.
    message text collate "C" not null,
    folder text collate "C" not null,
    left_at bigint not null,
    -- The number that the caller showed.
    caller text collate "C",
    seconds bigint,
    bytes bigint not null,
    unique (instance_id, domain, mailbox, message)
);

-- Where they lie, and how much there is, is told by the index alone.
create index voicemail_by_place on voicemail_messages (tenant_id, instance_id, left_at, id, bytes);
-- An export goes through them by ids.
create unique index voicemail_by_tenant on voicemail_messages (tenant_id, id);
create index voicemail_by_mailbox on voicemail_messages (tenant_id, mailbox, left_at, id);
create index voicemail_by_caller on voicemail_messages (tenant_id, caller, left_at, id) where caller is not null;

-- Messages that a purge is about to have removed: written before the first of them goes, and deleted with what counts them, so
-- that each counts once, whenever whoever has them removed is killed.
create table purge_messages (
    purge_id uuid not null references purges (id) on delete cascade,
    position bigint not null,
    voicemail_id uuid not null,
    domain text collate "C" not null,
    mailbox text collate "C" not null,
    message text collate "C" not null,
    bytes bigint not null,
    left_at bigint not null,
    -- The host, the directory and which one that was: on another one nothing is known of them.
    place text collate "C" not null,
    primary key (purge_id, position, voicemail_id)
);
