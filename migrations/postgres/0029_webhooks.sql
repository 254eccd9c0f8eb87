-- Webhooks: where a tenant has its events sent to, and the events that wait.

create table webhooks (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    url text not null,
    -- The kinds of events, separated by blanks.
    events text not null,
    -- Sealed.
    secret bytea not null,
    -- The one before, sealed: requests are signed with both until then.
    former_secret bytea,
    former_until bigint,
    is_active boolean not null,
    -- Why the daemon has disabled it.
    note text,
    -- The number of the last event, sent or dropped. Whoever takes the next one holds this row until the commit: so the order
    -- of the numbers is that of the commits.
    last_number bigint not null default 0,
    pending bigint not null default 0,
    dropped bigint not null default 0,
    -- Counts the attempts for the event that comes first.
    attempts bigint not null default 0,
    -- Counts the events that were given up since one was taken.
    refused bigint not null default 0,
    next_attempt_at bigint not null,
    -- Counts the claims: who has claimed it last is who knows the number.
    claims bigint not null default 0,
    claimed_by text,
    claimed_until bigint,
    failing_since bigint,
    last_delivered_at bigint,
    last_failed_at bigint,
    last_error text,
    created_at bigint not null,
    updated_at bigint not null,
    check ((former_secret is null) = (former_until is null))
);

create index webhooks_by_tenant on webhooks (tenant_id, id);
create index webhooks_due on webhooks (next_attempt_at, id) where is_active and pending > 0;

-- An event that waits for its webhook, gone once it was delivered or given up.
create table webhook_events (
    webhook_id uuid not null references webhooks (id) on delete cascade,
    number bigint not null,
    event_id uuid not null,
    kind text collate "C" not null,
    body text not null,
    primary key (webhook_id, number)
);
