-- Webhooks: where a tenant has its events sent to, and the events that wait.

create table webhooks (
    id blob not null primary key,
    tenant_id blob not null references tenants (id) on delete cascade,
    url text not null,
    -- The kinds of events, separated by blanks.
    events text not null,
    -- Sealed.
    secret blob not null,
    -- The one before, sealed: requests are signed with both until then.
    former_secret blob,
    former_until integer,
    is_active integer not null,
    -- Why the daemon has disabled it.
    note text,
    -- The number of the last event, sent or dropped. Whoever takes the next one holds this row until the commit: so the order
    -- of the numbers is that of the commits.
    last_number integer not null default 0,
    pending integer not null default 0,
    dropped integer not null default 0,
    -- Counts the attempts for the event that comes first.
    attempts integer not null default 0,
    -- Counts the events that were given up since one was taken.
    refused integer not null default 0,
    next_attempt_at integer not null,
    -- Counts the claims: who has claimed it last is who knows the number.
    claims integer not null default 0,
    claimed_by text,
    claimed_until integer,
    failing_since integer,
    last_delivered_at integer,
    last_failed_at integer,
    last_error text,
    created_at integer not null,
    updated_at integer not null,
    check (is_active in (0, 1)),
    check ((former_secret is null) = (former_until is null))
) strict;

create index webhooks_by_tenant on webhooks (tenant_id, id);
create index webhooks_due on webhooks (next_attempt_at, id) where is_active and pending > 0;

-- An event that waits for its webhook, gone once it was delivered or given up.
create table webhook_events (
    webhook_id blob not null references webhooks (id) on delete cascade,
    number integer not null,
    event_id blob not null,
    kind text not null,
    body text not null,
    primary key (webhook_id, number)
) strict;
