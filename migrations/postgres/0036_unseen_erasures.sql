-- Whether something of a part could not be looked at: what tells whose that is stays with it.
alter table erasure_parts add column unseen boolean not null default false;

-- Since when carrying it out fails without an end; null while it does not.
alter table erasures add column failing_since bigint;
