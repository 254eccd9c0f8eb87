-- Who hears that a call is recorded, before it is, and which sound of the PBX they hear.

alter table tenants add column recording_notice text collate "C" not null default 'none';
alter table tenants add column recording_notice_sound text collate "C";
