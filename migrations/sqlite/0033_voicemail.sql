-- Messages in mail boxes, as they were found on the PBX when it was looked at last.
create table voicemail_messages (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    instance_id blob not null references instances (id) on delete cascade,
    -- The context of the mail box.
    domain text not null,
    mailbox text not null,
    -- By which the PBX knows it.
    message text not null,
    folder text not null,
    left_at integer not null,
    -- The number that the caller showed.
    caller text,
    seconds integer,
    bytes integer not null,
    unique (instance_id, domain, mailbox, message)
) strict;

-- Where they lie, and how much there is, is told by the index alone.
create index voicemail_by_place on voicemail_messages (tenant_id, instance_id, left_at, id, bytes);
-- An export goes through them by ids.
create unique index voicemail_by_tenant on voicemail_messages (tenant_id, id);
create index voicemail_by_mailbox on voicemail_messages (tenant_id, mailbox, left_at, id);
create index voicemail_by_caller on voicemail_messages (tenant_id, caller, left_at, id) where caller is not null;

-- Messages that a purge is about to have removed: written before the first of them goes, and deleted with what counts them, so
-- that each counts once, whenever whoever has them removed is killed.
create table purge_messages (
    purge_id blob not null references purges (id) on delete cascade,
    position integer not null,
    voicemail_id blob not null,
    domain text not null,
    mailbox text not null,
    message text not null,
    bytes integer not null,
    left_at integer not null,
    -- The host, the directory and which one that was: on another one nothing is known of them.
    place text not null,
    primary key (purge_id, position, voicemail_id)
) strict;
