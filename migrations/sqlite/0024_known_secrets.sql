-- Of an extension that was brought in from a PBX, perhaps only the digest of its password is known.
alter table extensions add column secret_known integer not null default 1 check (secret_known in (0, 1));
