-- Whether something of a part could not be looked at: what tells whose that is stays with it.
alter table erasure_parts add column unseen integer not null default 0 check (unseen in (0, 1));

-- Since when carrying it out fails without an end; null while it does not.
alter table erasures add column failing_since integer;
