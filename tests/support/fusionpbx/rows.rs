//! Rows as an operator's database has them, and rows that a test adds.

use switchyard::domain::ids::{IdSource as _, SystemIds};

use super::FusionPbx;

/// The operator's own domain.
pub const OPERATOR: &str = "pbx.operator.example";
pub const OPERATOR_UUID: &str = "04c4c8d2-6bbd-4acd-8fae-eac7feed5660";

/// What is there before we come. Booleans are written in quotation marks, which fits both ways of keeping them.
pub const SURROUNDINGS: &str = r#"
insert into v_domains (domain_uuid, domain_name, domain_enabled, domain_description, insert_date) values
    ('04c4c8d2-6bbd-4acd-8fae-eac7feed5660', 'pbx.operator.example', 'true', 'The first one', '2024-03-01 09:00:00+00'),
    ('04c4c8d2-0000-4000-8000-000000000002', 'old.operator.example', 'false', '', null),
    ('04c4c8d2-0000-4000-8000-000000000003', null, null, null, null);

insert into v_extensions (extension_uuid, domain_uuid, extension, number_alias, password, accountcode,
    effective_caller_id_name, effective_caller_id_number, directory_first_name, directory_last_name, directory_visible,
    directory_exten_visible, limit_max, limit_destination, user_context, call_timeout, call_group, enabled, description)
values
    ('23847e88-68c5-433d-8be9-2f488f4b83c5', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1001', null, 'throwaway1',
     'pbx.operator.example', 'Reception', '1001', 'Ada', 'O''Neil', 'true', 'true', '5', '!USER_BUSY',
     'pbx.operator.example', 30, 'sales,support', 'true', 'Front desk'),
    ('23847e88-0000-4000-8000-000000001002', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1002', '5550102', 'throwaway2',
     'pbx.operator.example', 'Workshop', '1002', null, null, 'true', 'false', '2', null, 'pbx.operator.example', 30,
     'support', 'true', null),
    ('23847e88-0000-4000-8000-000000001003', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1003', '', 'throwaway3',
     'pbx.operator.example', '', '', '', '', 'false', 'false', '', '', 'pbx.operator.example', null, 'support', 'false',
     'Left in May'),
    ('23847e88-0000-4000-8000-000000002001', '04c4c8d2-0000-4000-8000-000000000002', '2001', null, 'throwaway4',
     'old.operator.example', null, null, null, null, 'true', 'true', '5', null, 'old.operator.example', 30, null, 'true',
     null),
    -- The same number twice, one without a domain, and one without anything.
    ('23847e88-0000-4000-8000-000000001999', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1999', null, 'throwaway5', null,
     null, null, null, null, null, null, null, null, 'pbx.operator.example', null, null, 'true', 'first of two'),
    ('23847e88-0000-4000-8000-000000011999', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1999', null, 'throwaway5', null,
     null, null, null, null, null, null, null, null, 'pbx.operator.example', null, null, 'true', 'second of two'),
    ('23847e88-0000-4000-8000-000000003001', null, '3001', null, 'throwaway6', null, null, null, null, null, null, null,
     null, null, null, null, null, 'true', null),
    ('23847e88-0000-4000-8000-000000000000', null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null, null);

insert into v_extension_settings (extension_setting_uuid, domain_uuid, extension_uuid, extension_setting_type,
    extension_setting_name, extension_setting_value, extension_setting_enabled) values
    ('5e77e000-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     '23847e88-68c5-433d-8be9-2f488f4b83c5', 'variable', 'office', 'front', 'true'),
    ('5e77e000-0000-4000-8000-000000000002', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     '23847e88-68c5-433d-8be9-2f488f4b83c5', 'param', 'sip-forbid-register', 'true', 'false'),
    ('5e77e000-0000-4000-8000-000000000003', null, null, null, null, null, null);

insert into v_users (user_uuid, domain_uuid, username, user_enabled) values
    ('66f30b73-65f7-4bcd-ae50-bce2cea9debc', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', 'admin', 'true');
insert into v_extension_users (extension_user_uuid, domain_uuid, extension_uuid, user_uuid) values
    ('e0000000-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     '23847e88-68c5-433d-8be9-2f488f4b83c5', '66f30b73-65f7-4bcd-ae50-bce2cea9debc');

insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id, voicemail_password, voicemail_mail_to,
    voicemail_file, voicemail_local_after_email, voicemail_enabled) values
    ('b0000000-0000-4000-8000-000000001001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1001', '271828',
     'desk@operator.example', 'attach', 'true', 'true'),
    ('b0000000-0000-4000-8000-000000001002', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', '1002', '314159', null, null, null,
     'false'),
    ('b0000000-0000-4000-8000-000000000000', null, null, null, null, null, null, null);

insert into v_dialplans (dialplan_uuid, domain_uuid, hostname, dialplan_context, dialplan_name, dialplan_number,
    dialplan_continue, dialplan_order, dialplan_enabled, dialplan_xml) values
    ('d1a10000-0000-4000-8000-000000000001', null, null, '${domain_name}', 'user_exists', null, 'true', 10, 'true',
     '<extension name="user_exists" continue="true"><condition><action application="set" data="x=1"/></condition></extension>'),
    ('d1a10000-0000-4000-8000-000000000002', null, null, 'global', 'variables', null, 'true', 5, 'true',
     '<extension name="variables" continue="true"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000003', null, null, '${domain_name}', 'local_extension', null, 'true', 890, 'true',
     '<extension name="local_extension"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000004', null, 'other-host', 'global', 'elsewhere', null, 'true', 20, 'true',
     '<extension name="elsewhere"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000005', null, null, 'public', 'call_direction-inbound', null, 'true', 30, 'true',
     '<extension name="call_direction-inbound" continue="true"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000006', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', null, 'public', '5550100', '5550100',
     'false', 100, 'true', '<extension name="5550100"><condition field="destination_number" expression="^5550100$"/></extension>'),
    ('d1a10000-0000-4000-8000-000000000007', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', null, 'pbx.operator.example',
     'lunch', null, 'false', 200, 'false', '<extension name="lunch"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000008', '04c4c8d2-0000-4000-8000-000000000002', null, 'old.operator.example',
     'old', null, 'false', 200, 'true', '<extension name="old"><condition/></extension>'),
    ('d1a10000-0000-4000-8000-000000000000', null, null, null, null, null, null, null, null, null);
insert into v_dialplan_details (dialplan_detail_uuid, domain_uuid, dialplan_uuid, dialplan_detail_tag,
    dialplan_detail_type, dialplan_detail_data, dialplan_detail_group, dialplan_detail_order, dialplan_detail_enabled)
values
    ('de7a1100-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     'd1a10000-0000-4000-8000-000000000006', 'condition', 'destination_number', '^5550100$', 0, 10, 'true'),
    ('de7a1100-0000-4000-8000-000000000002', null, null, null, null, null, null, null, null);
insert into v_destinations (destination_uuid, domain_uuid, dialplan_uuid, destination_type, destination_number,
    destination_prefix, destination_context, destination_actions, destination_order, destination_enabled) values
    ('de571000-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     'd1a10000-0000-4000-8000-000000000006', 'inbound', '5550100', '1', 'public',
     '[{"destination_app":"transfer","destination_data":"1001 XML pbx.operator.example"}]', 100, 'true'),
    ('de571000-0000-4000-8000-000000000002', null, null, null, null, null, null, null, null, null);

insert into v_ring_groups (ring_group_uuid, domain_uuid, ring_group_name, ring_group_extension, ring_group_strategy,
    ring_group_context, ring_group_enabled) values
    ('41a60000-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', 'Everybody', '3000', 'simultaneous',
     'pbx.operator.example', 'true');
insert into v_ring_group_destinations (ring_group_destination_uuid, domain_uuid, ring_group_uuid, destination_number,
    destination_delay, destination_timeout, destination_enabled) values
    ('41a6de00-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660',
     '41a60000-0000-4000-8000-000000000001', '1001', 0, 30, 'true');

insert into v_default_settings (default_setting_uuid, default_setting_category, default_setting_subcategory,
    default_setting_name, default_setting_value, default_setting_order, default_setting_enabled) values
    ('de5e0000-0000-4000-8000-000000000001', 'domain', 'language', 'code', 'en-us', null, 'true'),
    ('de5e0000-0000-4000-8000-000000000002', 'destinations', 'dialplan_mode', 'text', 'multiple', null, 'true');
insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category, domain_setting_subcategory,
    domain_setting_name, domain_setting_value, domain_setting_enabled) values
    ('d05e0000-0000-4000-8000-000000000001', '04c4c8d2-6bbd-4acd-8fae-eac7feed5660', 'domain', 'time_zone', 'name',
     'Europe/Paris', 'true'),
    ('d05e0000-0000-4000-8000-000000000002', null, null, null, null, null, null);

insert into v_sip_profiles (sip_profile_uuid, sip_profile_name, sip_profile_hostname, sip_profile_enabled) values
    ('51900000-0000-4000-8000-000000000001', 'internal', null, 'true'),
    ('51900000-0000-4000-8000-000000000002', 'external', '', 'true'),
    ('51900000-0000-4000-8000-000000000003', 'internal-ipv6', null, 'false');
insert into v_sip_profile_settings (sip_profile_setting_uuid, sip_profile_uuid, sip_profile_setting_name,
    sip_profile_setting_value, sip_profile_setting_enabled) values
    ('519e0000-0000-4000-8000-000000000001', '51900000-0000-4000-8000-000000000001', 'sip-port', '5060', 'true'),
    ('519e0000-0000-4000-8000-000000000002', '51900000-0000-4000-8000-000000000002', 'sip-port', '5080', 'true');
"#;

/// An extension that a test adds.
pub struct ExtensionRow<'a> {
    pub domain_uuid: &'a str,
    pub domain: &'a str,
    pub number: &'a str,
    pub number_alias: Option<&'a str>,
    /// `None` is NULL.
    pub password: Option<&'a str>,
    pub name: &'a str,
}

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub async fn add_domain(fusionpbx: &FusionPbx, name: &str) -> String {
    let uuid = SystemIds.next().to_string();
    let name = quoted(name);
    let sql = format!(
        "insert into v_domains (domain_uuid, domain_name, domain_enabled) values ('{uuid}', {name}, 'true')"
    );
    fusionpbx.run(&sql).await;
    uuid
}

pub async fn add_extension(fusionpbx: &FusionPbx, row: &ExtensionRow<'_>) -> String {
    let uuid = SystemIds.next().to_string();
    let or_null = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quoted);
    let domain = quoted(row.domain);
    let sql = format!(
        "insert into v_extensions (extension_uuid, domain_uuid, extension, number_alias, password, accountcode, \
         user_context, effective_caller_id_name, directory_visible, call_timeout, enabled) \
         values ('{uuid}', {}, {}, {}, {}, {domain}, {domain}, {}, 'true', 30, 'true')",
        quoted(row.domain_uuid),
        quoted(row.number),
        or_null(row.number_alias),
        or_null(row.password),
        quoted(row.name),
    );
    fusionpbx.run(&sql).await;
    uuid
}
