-- By what the directory of a PBX's recordings is known again; none where it never was.
alter table instances add column recordings_landmark text;
