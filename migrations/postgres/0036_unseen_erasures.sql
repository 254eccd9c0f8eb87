-- Whether something of a part could not be looked at: what tells whose that is stays with it.
alter table erasure_parts add column unseen boolean not null default false;

-- How often carrying it out has failed since it was run, and since when.
alter table erasures add column failures bigint not null default 0;
alter table erasures add column failing_since bigint;
