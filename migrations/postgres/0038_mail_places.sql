-- Which directory a PBX's mail boxes are in; none where none was ever looked at.
alter table instances add column voicemail_place text;
