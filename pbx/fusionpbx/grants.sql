-- What Switchyard may do in FusionPBX's database: read and write the rows of tenants, read the
-- calls that FusionPBX wrote down, read and remove messages in mail boxes, and nothing else.
-- As the owner of FusionPBX's tables, once, and again after an upgrade of FusionPBX that made a table anew:
--   createuser --pwprompt switchyard
--   psql fusionpbx -v role=switchyard -f grants.sql
-- To take it back: `drop owned by switchyard` in this database, then `dropuser switchyard`.
grant usage on schema public to :"role";
grant select, insert, update, delete on
    v_domains, v_extensions, v_extension_settings, v_voicemails, v_dialplans
    to :"role";
-- For messages in mail boxes: to find them, and to remove them once they are kept no longer.
grant select (voicemail_message_uuid, domain_uuid, voicemail_uuid, created_epoch, read_epoch, caller_id_number,
    message_length, message_status, message_base64, insert_date) on v_voicemail_messages to :"role";
grant delete on v_voicemail_messages to :"role";
-- For what ended while Switchyard did not listen: not what FreeSWITCH knew of each call besides.
grant select (xml_cdr_uuid, domain_uuid, leg, direction, caller_id_number, destination_number, start_stamp,
    answer_epoch, end_epoch, sip_call_id, hangup_cause) on v_xml_cdr to :"role";
-- Each by itself, since a version may lack it.
grant select (domain_name) on v_xml_cdr to :"role";
grant select (caller_id_name) on v_xml_cdr to :"role";
grant select (caller_destination) on v_xml_cdr to :"role";
grant select (extension_uuid) on v_xml_cdr to :"role";
grant select (originating_leg_uuid) on v_xml_cdr to :"role";
