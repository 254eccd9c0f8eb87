//! SIP profiles and the phones at them.

use std::fmt::Write as _;

use super::super::switch::Switch;

const LINE: &str =
    "=================================================================================================";

/// `sofia status|xmlstatus|profile …`
pub fn run(switch: &Switch, words: &[&str]) -> String {
    match words {
        ["status"] => status(switch),
        [form @ ("status" | "xmlstatus"), "profile", profile, "reg"] => {
            if !switch.is_profile(profile) {
                return "Invalid Profile!\n".to_owned();
            }
            let (host, now) = (&switch.names.hostname, switch.new.seconds());
            let phones = switch.phones.lock().unwrap();
            if *form == "status" {
                phones.text(profile, host, now)
            } else {
                phones.xml(profile, host, now)
            }
        }
        // No line end, unlike above.
        ["profile", profile, _, ..] if !switch.is_profile(profile) => format!("Invalid Profile [{profile}]"),
        ["profile", profile, "flush_inbound_reg", rest @ ..] => {
            let whom = rest.first().copied();
            switch.phones.lock().unwrap().flush(profile, whom);
            match whom {
                Some(_) => "+OK flushing all registrations matching specified call_id\n".to_owned(),
                None => "+OK flushing all registrations\n".to_owned(),
            }
        }
        ["profile", ..] => "Invalid Args!\n".to_owned(),
        ["status" | "xmlstatus", ..] => "Invalid Syntax!\n".to_owned(),
        _ => "USAGE:\nsofia <status|xmlstatus|profile>\n".to_owned(),
    }
}

/// The list of profiles as text, its columns parted by tabs.
fn status(switch: &Switch) -> String {
    let row = |name: &str, kind: &str, data: &str, state: &str| {
        format!("{name:>25}\t{kind}\t  {data:>40}\t{state}\n")
    };
    let mut out = row("Name", "   Type", "Data", "State");
    let _ = writeln!(out, "{LINE}");
    for profile in &switch.profiles {
        out.push_str(&row(&profile.name, "profile", &profile.url, "RUNNING (0)"));
    }
    let count = switch.profiles.len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = writeln!(out, "{LINE}\n{count} profile{plural} 0 aliases");
    out
}

/// `sofia_contact [profile/]<user>@<domain>`
pub fn contact(switch: &Switch, argument: &str) -> String {
    let (profile, address) = argument.split_once('/').unwrap_or(("*", argument));
    let (user, domain) = address.split_once('@').unwrap_or((address, ""));
    switch.phones.lock().unwrap().dial_string(profile, user, domain)
}
