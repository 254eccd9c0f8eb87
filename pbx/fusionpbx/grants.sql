-- What Switchyard may do in FusionPBX's database: read and write the rows of tenants, and nothing else.
-- As the owner of FusionPBX's tables, once, and again after an upgrade of FusionPBX that made a table anew:
--   createuser --pwprompt switchyard
--   psql fusionpbx -v role=switchyard -f grants.sql
-- To take it back: `drop owned by switchyard` in this database, then `dropuser switchyard`.
grant usage on schema public to :"role";
grant select, insert, update, delete on
    v_domains, v_extensions, v_extension_settings, v_voicemails, v_dialplans
    to :"role";
