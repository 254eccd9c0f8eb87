-- The outbox: what is to be sent to somebody outside, written in the transaction of what it tells of.

create table outbox (
    id blob not null primary key,
    -- Who sends it: `mail`.
    kind text not null,
    -- What it is about, by an id: by that it is taken back.
    subject text not null,
    -- Nothing of a tenant's outlives it.
    tenant_id blob references tenants (id) on delete cascade,
    -- Sealed, for it may hold a link that signs in and names a person; gone once it was sent or given up.
    payload blob,
    -- Counts the claims: who has claimed it last is who knows the number.
    attempts integer not null default 0,
    next_attempt_at integer not null,
    claimed_by text,
    claimed_until integer,
    created_at integer not null,
    sent_at integer,
    gave_up_at integer,
    last_error text,
    check (sent_at is null or gave_up_at is null),
    check ((payload is null) = (sent_at is not null or gave_up_at is not null))
) strict;

create index outbox_due on outbox (kind, next_attempt_at, id) where payload is not null;
create index outbox_by_subject on outbox (subject);
create index outbox_by_tenant on outbox (tenant_id);
create index outbox_by_end on outbox (coalesce(sent_at, gave_up_at)) where payload is null;
