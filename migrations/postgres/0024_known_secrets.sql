-- Of an extension that was brought in from a PBX, perhaps only the digest of its password is known.
alter table extensions add column secret_known boolean not null default true;
