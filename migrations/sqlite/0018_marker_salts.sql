-- What the markers of a generation are made with beside its files; 0: nothing. It changes with the directory that the
-- PBX reads: the same files elsewhere would show the same markers, whether anything leads there or not.

alter table generations add column marker_salt integer not null default 0;
