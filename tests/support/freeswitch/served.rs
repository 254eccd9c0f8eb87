//! The document that FusionPBX's handler makes of an extension's row.

use std::fmt::Write as _;

use super::fusion::get;

/// The columns that it reads of `v_extensions`.
pub const COLUMNS: &[&str] = &[
    "extension_uuid",
    "extension",
    "number_alias",
    "password",
    "accountcode",
    "effective_caller_id_name",
    "effective_caller_id_number",
    "outbound_caller_id_name",
    "outbound_caller_id_number",
    "emergency_caller_id_name",
    "emergency_caller_id_number",
    "directory_first_name",
    "directory_last_name",
    "directory_visible",
    "directory_exten_visible",
    "limit_max",
    "limit_destination",
    "missed_call_app",
    "missed_call_data",
    "user_context",
    "toll_allow",
    "call_timeout",
    "call_group",
    "call_screen_enabled",
    "user_record",
    "hold_music",
    "auth_acl",
    "cidr",
    "sip_force_contact",
    "nibble_account",
    "sip_force_expires",
    "mwi_account",
    "sip_bypass_media",
    "dial_string",
    "do_not_disturb",
    "forward_all_destination",
    "forward_all_enabled",
    "forward_busy_destination",
    "forward_busy_enabled",
    "forward_no_answer_destination",
    "forward_no_answer_enabled",
    "forward_user_not_registered_destination",
    "forward_user_not_registered_enabled",
    "follow_me_enabled",
    "absolute_codec_string",
    "force_ping",
    "max_registrations",
    "extension_type",
    "extension_language",
    "extension_dialect",
    "extension_voice",
];

/// When a column becomes a variable.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// It holds something.
    Some,
    /// It holds `true`. Until version 5.4 `false` is shown as well.
    True,
}

/// Which columns become variables, under which names, in the handler's order.
const VARIABLES: &[(&str, &str, When)] = &[
    ("call_group", "call_group", When::Some),
    ("call_screen_enabled", "call_screen_enabled", When::True),
    ("user_record", "user_record", When::Some),
    ("hold_music", "hold_music", When::Some),
    ("toll_allow", "toll_allow", When::Some),
    ("accountcode", "accountcode", When::Some),
    ("user_context", "user_context", When::Always),
    ("effective_caller_id_name", "effective_caller_id_name", When::Some),
    (
        "effective_caller_id_number",
        "effective_caller_id_number",
        When::Some,
    ),
    ("outbound_caller_id_name", "outbound_caller_id_name", When::Some),
    (
        "outbound_caller_id_number",
        "outbound_caller_id_number",
        When::Some,
    ),
    ("emergency_caller_id_name", "emergency_caller_id_name", When::Some),
    (
        "emergency_caller_id_number",
        "emergency_caller_id_number",
        When::Some,
    ),
    ("missed_call_app", "missed_call_app", When::Some),
    ("missed_call_data", "missed_call_data", When::Some),
    ("directory_full_name", "directory_full_name", When::Some),
    ("directory_visible", "directory-visible", When::True),
    ("directory_exten_visible", "directory-exten-visible", When::True),
    ("limit_max", "limit_max", When::Some),
    ("limit_destination", "limit_destination", When::Some),
    ("sip_force_contact", "sip-force-contact", When::Some),
    ("sip_force_expires", "sip-force-expires", When::Some),
    ("nibble_account", "nibble_account", When::Some),
    ("absolute_codec_string", "absolute_codec_string", When::Some),
    ("force_ping", "force_ping", When::True),
    ("forward_all_enabled", "forward_all_enabled", When::True),
    ("forward_all_destination", "forward_all_destination", When::Some),
    ("forward_busy_enabled", "forward_busy_enabled", When::True),
    ("forward_busy_destination", "forward_busy_destination", When::Some),
    (
        "forward_no_answer_enabled",
        "forward_no_answer_enabled",
        When::True,
    ),
    (
        "forward_no_answer_destination",
        "forward_no_answer_destination",
        When::Some,
    ),
    (
        "forward_user_not_registered_enabled",
        "forward_user_not_registered_enabled",
        When::True,
    ),
    (
        "forward_user_not_registered_destination",
        "forward_user_not_registered_destination",
        When::Some,
    ),
    ("follow_me_enabled", "follow_me_enabled", When::True),
    ("do_not_disturb", "do_not_disturb", When::True),
    ("extension_language", "default_language", When::Some),
    ("extension_dialect", "default_dialect", When::Some),
    ("extension_voice", "default_voice", When::Some),
];

/// An extension as it was read.
#[derive(Debug, Clone)]
pub struct Served {
    pub domain: String,
    pub domain_uuid: String,
    pub extension: String,
    /// Its `number_alias`, or `extension` without one.
    pub number: String,
    pub row: Vec<(String, String)>,
    pub user_uuid: String,
    pub voicemail: Option<Vec<(String, String)>>,
    pub settings: Vec<Vec<(String, String)>>,
    pub dial_string: Option<String>,
    /// Whether booleans are text.
    pub text: bool,
}

impl Served {
    /// The whole document.
    pub fn xml(&self) -> String {
        let user = format!(
            "<user id=\"{}\" cidr=\"{}\" number-alias=\"{}\" type=\"\">",
            clean(&self.extension),
            clean(self.cell("cidr")),
            clean(self.cell("number_alias"))
        );
        format!(
            "<document type=\"freeswitch/xml\">\n<section name=\"directory\">\n<domain name=\"{}\" alias=\"true\">\n\
             <params>\n<param name=\"jsonrpc-allowed-methods\" value=\"verto\"/>\n</params>\n\
             <groups>\n<group name=\"default\">\n<users>\n{user}\n<params>\n{}</params>\n<variables>\n{}</variables>\n\
             </user>\n</users>\n</group>\n</groups>\n</domain>\n</section>\n</document>\n",
            clean(&self.domain),
            self.params(),
            self.variables()
        )
    }

    fn cell(&self, column: &str) -> &str {
        get(&self.row, column)
    }

    fn address(&self) -> String {
        format!("{}@{}", self.extension, self.domain)
    }

    fn params(&self) -> String {
        let mut out = Entries::new("param");
        // Neither is escaped: a quotation mark in a password ends it, and what follows is markup.
        out.raw("password", self.cell("password"));
        let mailbox = self.voicemail.as_deref();
        let told = |column| mailbox.map_or("", |row| get(row, column));
        let enabled = self.yes(self.flag(told("voicemail_enabled")));
        out.add("vm-enabled", if mailbox.is_some() { enabled } else { "true" });
        if !told("voicemail_mail_to").is_empty() {
            out.add("vm-password", told("voicemail_password"));
            out.add("vm-email-all-messages", enabled);
            out.add("vm-attach-file", self.yes(told("voicemail_attach_file")));
            out.add(
                "vm-keep-local-after-email",
                self.yes(told("voicemail_local_after_email")),
            );
            out.add("vm-mailto", told("voicemail_mail_to"));
        }
        for (name, column) in [("MWI-Account", "mwi_account"), ("auth-acl", "auth_acl")] {
            if !self.cell(column).is_empty() {
                out.add(name, self.cell(column));
            }
        }
        out.raw("dial-string", &self.dial_string());
        out.add("verto-context", self.cell("user_context"));
        out.add("max-registrations-per-extension", self.cell("max_registrations"));
        self.settle(&mut out, "param");
        out.text
    }

    /// The column comes twice, as text and as it is, and the second one counts: PostgreSQL writes a boolean `t` or `f`.
    fn flag<'a>(&self, written: &'a str) -> &'a str {
        match written {
            "true" if !self.text => "t",
            "false" if !self.text => "f",
            other => other,
        }
    }

    /// Until version 5.4 what a box does not say is a yes.
    fn yes<'a>(&self, written: &'a str) -> &'a str {
        if self.text && written.is_empty() {
            "true"
        } else {
            written
        }
    }

    fn dial_string(&self) -> String {
        if self.cell("do_not_disturb") == "true" {
            return "error/user_busy".to_owned();
        }
        if !self.cell("dial_string").is_empty() {
            return self.cell("dial_string").to_owned();
        }
        let (domain, address) = (&self.domain, self.address());
        self.dial_string.clone().unwrap_or_else(|| {
            format!("{{sip_invite_domain={domain},presence_id={address}}}${{sofia_contact(*/{address})}}")
        })
    }

    fn variables(&self) -> String {
        let mut out = Entries::new("variable");
        out.add("domain_uuid", &self.domain_uuid);
        out.add("domain_name", &self.domain);
        out.add("extension_uuid", self.cell("extension_uuid"));
        if !self.user_uuid.is_empty() {
            out.add("user_uuid", &self.user_uuid);
        }
        out.add("call_timeout", self.cell("call_timeout"));
        out.add("caller_id_name", &self.extension);
        out.add("caller_id_number", &self.number);
        out.add("presence_id", &self.address());
        let name = [
            self.cell("directory_first_name"),
            self.cell("directory_last_name"),
        ]
        .join(" ");
        for (column, variable, when) in VARIABLES {
            let value = match *column {
                "directory_full_name" if self.cell("directory_first_name").is_empty() => "",
                "directory_full_name" => name.trim(),
                "limit_max" if self.cell("limit_max").is_empty() => "5",
                column => self.cell(column),
            };
            let shown = match when {
                When::Always => true,
                When::True if !self.text => value == "true",
                When::Some | When::True => !value.is_empty(),
            };
            if shown {
                out.add(variable, value);
            }
        }
        let media = match self.cell("sip_bypass_media") {
            "bypass-media" => Some("bypass_media"),
            "bypass-media-after-bridge" => Some("bypass_media_after_bridge"),
            "proxy-media" => Some("proxy_media"),
            _ => None,
        };
        if let Some(media) = media {
            out.add(media, "true");
        }
        out.add("record_stereo", "true");
        out.add("transfer_fallback_extension", "operator");
        out.add("export_vars", "domain_name,domain_uuid");
        self.settle(&mut out, "variable");
        out.text
    }

    fn settle(&self, out: &mut Entries, kind: &str) {
        for setting in &self.settings {
            if get(setting, "extension_setting_type") == kind {
                out.add(
                    get(setting, "extension_setting_name"),
                    get(setting, "extension_setting_value"),
                );
            }
        }
    }
}

struct Entries {
    tag: &'static str,
    text: String,
}

impl Entries {
    fn new(tag: &'static str) -> Self {
        Self {
            tag,
            text: String::new(),
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.raw(&clean(name), &clean(value));
    }

    fn raw(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "<{} name=\"{name}\" value=\"{value}\"/>", self.tag);
    }
}

/// How the handler cleans a value: `$` goes, `&` stays as it is.
fn clean(value: &str) -> String {
    let mut out = String::new();
    for letter in value.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '$' => {}
            letter => out.push(letter),
        }
    }
    out
}
