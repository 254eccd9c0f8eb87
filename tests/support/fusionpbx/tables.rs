//! The tables of FusionPBX that a driver touches, in both of the ways in which booleans were kept.
//!
//! FusionPBX makes no unique constraint and no foreign key; all that it makes is a primary key.

/// How booleans are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booleans {
    /// As such: version 5.5 and later.
    Native,
    /// As the texts `true` and `false`: up to version 5.4.
    Text,
}

/// What stands in each table behind its own columns.
const STAMPS: &str = "insert_date timestamptz, insert_user uuid, update_date timestamptz, update_user uuid";

/// Each table with its columns; `uuid!` is the primary key.
const TABLES: &[(&str, &str)] = &[
    (
        "v_domains",
        "domain_uuid uuid!, domain_parent_uuid uuid, domain_name text, domain_enabled boolean, \
         domain_description text",
    ),
    (
        "v_domain_settings",
        "domain_uuid uuid, domain_setting_uuid uuid!, app_uuid uuid, domain_setting_category text, \
         domain_setting_subcategory text, domain_setting_name text, domain_setting_value text, \
         domain_setting_order numeric, domain_setting_enabled boolean, domain_setting_description text",
    ),
    (
        "v_default_settings",
        "default_setting_uuid uuid!, app_uuid uuid, default_setting_category text, \
         default_setting_subcategory text, default_setting_name text, default_setting_value text, \
         default_setting_order numeric, default_setting_enabled boolean, default_setting_description text",
    ),
    (
        "v_extensions",
        "extension_uuid uuid!, domain_uuid uuid, extension text, number_alias text, password text, \
         accountcode text, effective_caller_id_name text, effective_caller_id_number text, \
         outbound_caller_id_name text, outbound_caller_id_number text, emergency_caller_id_name text, \
         emergency_caller_id_number text, directory_first_name text, directory_last_name text, \
         directory_visible boolean, directory_exten_visible boolean, max_registrations text, limit_max text, \
         limit_destination text, missed_call_app text, missed_call_data text, user_context text, toll_allow \
         text, call_timeout numeric, call_group text, call_screen_enabled boolean, user_record text, \
         hold_music text, auth_acl text, cidr text, sip_force_contact text, nibble_account text, \
         sip_force_expires numeric, mwi_account text, sip_bypass_media text, unique_id numeric, dial_string \
         text, dial_user text, dial_domain text, do_not_disturb boolean, forward_all_destination text, \
         forward_all_enabled boolean, forward_busy_destination text, forward_busy_enabled boolean, \
         forward_no_answer_destination text, forward_no_answer_enabled boolean, \
         forward_user_not_registered_destination text, forward_user_not_registered_enabled boolean, \
         follow_me_uuid uuid, follow_me_enabled boolean, follow_me_destinations text, extension_language \
         text, extension_dialect text, extension_voice text, extension_type text, enabled boolean, \
         description text, absolute_codec_string text, force_ping boolean",
    ),
    (
        "v_extension_users",
        "extension_user_uuid uuid!, domain_uuid uuid, extension_uuid uuid, user_uuid uuid",
    ),
    (
        "v_extension_settings",
        "extension_setting_uuid uuid!, domain_uuid uuid, extension_uuid uuid, extension_setting_type text, \
         extension_setting_name text, extension_setting_value text, extension_setting_enabled boolean, \
         extension_setting_description text",
    ),
    (
        "v_voicemails",
        "domain_uuid uuid, voicemail_uuid uuid!, voicemail_id text, voicemail_password text, \
         voicemail_tutorial boolean, greeting_id numeric, voicemail_alternate_greet_id text, \
         voicemail_recording_instructions boolean, voicemail_recording_options boolean, voicemail_mail_to \
         text, voicemail_sms_to text, voicemail_transcription_enabled boolean, \
         voicemail_transcription_prompt_enabled boolean, voicemail_transcription_prompt text, \
         voicemail_attach_file text, voicemail_file text, voicemail_local_after_email boolean, \
         voicemail_local_after_forward boolean, voicemail_enabled boolean, voicemail_description text, \
         alternate_voicemail_destination text, alternate_voicemail_enabled boolean, voicemail_name_base64 \
         text",
    ),
    (
        "v_voicemail_messages",
        "domain_uuid uuid, voicemail_message_uuid uuid!, voicemail_uuid uuid, created_epoch numeric, \
         read_epoch numeric, caller_id_name text, caller_id_number text, message_length numeric, \
         message_status text, message_priority text, message_intro_base64 text, message_base64 text, \
         message_transcription text",
    ),
    (
        "v_dialplans",
        "domain_uuid uuid, dialplan_uuid uuid!, app_uuid uuid, hostname text, dialplan_context text, \
         dialplan_name text, dialplan_number text, dialplan_destination boolean, dialplan_continue boolean, \
         dialplan_xml text, dialplan_order numeric, dialplan_enabled boolean, dialplan_description text",
    ),
    (
        "v_dialplan_details",
        "domain_uuid uuid, dialplan_uuid uuid, dialplan_detail_uuid uuid!, dialplan_detail_tag text, \
         dialplan_detail_type text, dialplan_detail_data text, dialplan_detail_break text, \
         dialplan_detail_inline text, dialplan_detail_group numeric, dialplan_detail_order numeric, \
         dialplan_detail_enabled boolean",
    ),
    (
        "v_destinations",
        "domain_uuid uuid, destination_uuid uuid!, dialplan_uuid uuid, fax_uuid uuid, user_uuid uuid, \
         group_uuid uuid, provider_uuid uuid, destination_type text, destination_number text, \
         destination_trunk_prefix text, destination_area_code text, destination_prefix text, \
         destination_condition_field text, destination_number_regex text, destination_caller_id_name text, \
         destination_caller_id_number text, destination_cid_name_prefix text, destination_context text, \
         destination_record boolean, destination_hold_music text, destination_distinctive_ring text, \
         destination_ringback text, destination_accountcode text, destination_type_voice numeric, \
         destination_type_fax numeric, destination_type_emergency numeric, destination_type_text numeric, \
         destination_conditions json, destination_actions json, destination_app text, destination_data text, \
         destination_alternate_app text, destination_alternate_data text, destination_order numeric, \
         destination_enabled boolean, destination_description text, destination_email boolean",
    ),
    (
        "v_ring_groups",
        "domain_uuid uuid, ring_group_uuid uuid!, ring_group_name text, ring_group_extension text, \
         ring_group_greeting text, ring_group_exit_key text, ring_group_call_timeout numeric, \
         ring_group_forward_destination text, ring_group_forward_enabled boolean, ring_group_caller_id_name \
         text, ring_group_caller_id_number text, ring_group_cid_name_prefix text, \
         ring_group_cid_number_prefix text, ring_group_strategy text, ring_group_timeout_app text, \
         ring_group_timeout_data text, ring_group_distinctive_ring text, ring_group_ringback text, \
         ring_group_call_screen_enabled boolean, ring_group_call_forward_enabled boolean, \
         ring_group_follow_me_enabled boolean, ring_group_missed_call_app text, ring_group_missed_call_data \
         text, ring_group_context text, ring_group_enabled boolean, ring_group_description text, \
         dialplan_uuid uuid, ring_group_forward_toll_allow text, ring_group_wait_announcement text, \
         ring_group_wait_interval numeric",
    ),
    (
        "v_ring_group_destinations",
        "ring_group_destination_uuid uuid!, domain_uuid uuid, ring_group_uuid uuid, destination_number text, \
         destination_delay numeric, destination_timeout numeric, destination_enabled boolean, \
         destination_prompt numeric, destination_description text",
    ),
    (
        "v_users",
        "user_uuid uuid!, domain_uuid uuid, contact_uuid uuid, username text, password text, salt text, \
         user_email text, user_status text, api_key text, user_totp_secret text, user_type text, user_enabled \
         boolean, add_user text, add_date text",
    ),
    (
        "v_sip_profiles",
        "sip_profile_uuid uuid!, sip_profile_name text, sip_profile_hostname text, sip_profile_enabled \
         boolean, sip_profile_description text",
    ),
    (
        "v_sip_profile_settings",
        "sip_profile_setting_uuid uuid!, sip_profile_uuid uuid, sip_profile_setting_name text, \
         sip_profile_setting_value text, sip_profile_setting_enabled boolean, sip_profile_setting_description \
         text",
    ),
    (
        "v_xml_cdr",
        "xml_cdr_uuid uuid!, domain_uuid uuid, provider_uuid uuid, extension_uuid uuid, sip_call_id text, \
         domain_name text, accountcode text, direction text, default_language text, context text, \
         caller_id_name text, caller_id_number text, caller_destination text, source_number text, \
         destination_number text, start_epoch numeric, start_stamp timestamptz, answer_stamp timestamptz, \
         answer_epoch numeric, end_epoch numeric, end_stamp timestamptz, duration numeric, mduration \
         numeric, billsec numeric, billmsec numeric, hold_accum_seconds numeric, bridge_uuid text, \
         read_codec text, read_rate text, write_codec text, write_rate text, remote_media_ip text, \
         network_addr text, record_path text, record_name text, record_length numeric, \
         record_transcription text, leg character(1), originating_leg_uuid uuid, pdd_ms numeric, \
         rtp_audio_in_mos numeric, last_app text, last_arg text, voicemail_message boolean, missed_call \
         boolean, call_center_queue_uuid uuid, cc_side text, cc_member_uuid uuid, cc_queue_joined_epoch \
         numeric, cc_queue text, cc_member_session_uuid uuid, cc_agent_uuid uuid, cc_agent text, \
         cc_agent_type text, cc_agent_bridged text, cc_queue_answered_epoch numeric, \
         cc_queue_terminated_epoch numeric, cc_queue_canceled_epoch numeric, cc_cancel_reason text, \
         cc_cause text, waitsec numeric, conference_name text, conference_uuid uuid, conference_member_id \
         text, digits_dialed text, pin_number text, status text, call_disposition text, hangup_cause \
         text, hangup_cause_q850 numeric, sip_hangup_disposition text, ring_group_uuid uuid, \
         ivr_menu_uuid uuid, processed boolean, call_flow jsonb, xml text, json jsonb",
    ),
];

/// The names of all tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The statements that make all tables.
pub fn ddl(booleans: Booleans) -> String {
    let statements = TABLES.iter().map(|(name, columns)| {
        let columns = format!("{columns}, {STAMPS}").replace(" uuid!", " uuid primary key");
        let columns = match booleans {
            Booleans::Native => columns,
            Booleans::Text => columns.replace(" boolean", " text"),
        };
        format!("create table {name} ({columns});\n")
    });
    statements.collect()
}
