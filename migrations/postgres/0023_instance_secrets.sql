-- FusionPBX is signed in at twice: at its database and at FreeSWITCH's event socket.
alter table instances rename column ami_secret to control_secret;
alter table instances add column database_secret bytea;
