//! Phones that are signed in, as the profiles have them and as the table of all shows them.

use std::fmt::Write as _;

use serde_json::json;

use super::identity::local;
use super::xml::encode;

const LINE: &str =
    "=================================================================================================";

/// One phone at one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    pub profile: String,
    pub user: String,
    pub domain: String,
    pub call_id: String,
    /// `sip:1001@127.0.0.1:5099;transport=UDP`
    pub contact: String,
    pub agent: String,
    pub ip: String,
    pub port: u16,
    /// Seconds since 1970.
    pub expires: i64,
}

impl Phone {
    /// One on this host that stays for an hour.
    pub fn at(profile: &str, user: &str, domain: &str, port: u16, now: i64) -> Self {
        Self {
            profile: profile.to_owned(),
            user: user.to_owned(),
            domain: domain.to_owned(),
            call_id: format!("1-{port}@127.0.0.1"),
            contact: format!("sip:{user}@127.0.0.1:{port};transport=UDP"),
            agent: "sipp-rig".to_owned(),
            ip: "127.0.0.1".to_owned(),
            port,
            expires: now + 3600,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.profile, &self.call_id) == (&other.profile, &other.call_id)
    }

    /// Whether a flush means it: its call-id, `user@domain`, or `@domain`.
    fn is_meant_by(&self, whom: &str) -> bool {
        let (user, domain) = whom.split_once('@').unwrap_or(("", whom));
        self.call_id == whom || self.domain == domain && (user.is_empty() || self.user == user)
    }

    fn dial_string(&self) -> String {
        format!("sofia/{}/{}", self.profile, self.contact)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Phones {
    /// The truth, which each profile keeps for itself.
    signed_in: Vec<Phone>,
    /// The table of FreeSWITCH's core, where a phone stays after a flush.
    table: Vec<Phone>,
    /// How many have ever signed in.
    ever: u16,
}

impl Phones {
    /// A port that no phone had before.
    pub fn next_port(&mut self) -> u16 {
        self.ever += 1;
        5100 + self.ever
    }

    /// Signs one in; again, if it was.
    pub fn sign_in(&mut self, phone: &Phone) {
        for list in [&mut self.signed_in, &mut self.table] {
            list.retain(|known| !known.is_same(phone));
            list.push(phone.clone());
        }
    }

    pub fn signed_in(&self) -> &[Phone] {
        &self.signed_in
    }

    /// The table learns what has happened, as it does after a while.
    pub fn settle(&mut self) {
        self.table = self.signed_in.clone();
    }

    /// Signs out whoever is meant, `None` everybody, at one profile.
    pub fn flush(&mut self, profile: &str, whom: Option<&str>) {
        self.signed_in
            .retain(|phone| phone.profile != profile || !whom.is_none_or(|whom| phone.is_meant_by(whom)));
    }

    /// How many a profile still has of a user.
    pub fn of(&self, profile: &str, user: &str, domain: &str) -> usize {
        let mine = |p: &&Phone| p.profile == profile && p.user == user && p.domain == domain;
        self.signed_in.iter().filter(mine).count()
    }

    /// What `sofia_contact` prints; `profile` is `*` for all.
    pub fn dial_string(&self, profile: &str, user: &str, domain: &str) -> String {
        let found = self.signed_in.iter().filter(|phone| {
            (profile == "*" || profile == phone.profile)
                && phone.user.eq_ignore_ascii_case(user)
                && phone.domain == domain
        });
        let found: Vec<String> = found.map(Phone::dial_string).collect();
        if found.is_empty() {
            return "error/user_not_registered".to_owned();
        }
        found.join(",")
    }

    /// The rows of `show registrations`.
    pub fn rows(&self, hostname: &str) -> Vec<String> {
        let row = |phone: &Phone| {
            let cells = [
                ("reg_user", phone.user.clone()),
                ("realm", phone.domain.clone()),
                ("token", phone.call_id.clone()),
                ("url", phone.dial_string()),
                ("expires", phone.expires.to_string()),
                ("network_ip", phone.ip.clone()),
                ("network_port", phone.port.to_string()),
                ("network_proto", "udp".to_owned()),
                ("hostname", hostname.to_owned()),
                ("metadata", String::new()),
            ];
            object(&cells)
        };
        self.table.iter().map(row).collect()
    }

    /// A profile's list as text.
    pub fn text(&self, profile: &str, hostname: &str, now: i64) -> String {
        let mut out = format!("\nRegistrations:\n{LINE}\n");
        let mut count = 0;
        for phone in self.signed_in.iter().filter(|phone| phone.profile == profile) {
            count += 1;
            let address = format!("{}@{}", phone.user, phone.domain);
            let _ = write!(
                out,
                "Call-ID:    \t{}\nUser:       \t{address}\nContact:    \t\"\" <{}>\nAgent:      \t{}\n\
                 Status:     \tRegistered(UDP)(unknown) EXP({}) EXPSECS({})\nPing-Status:\tReachable\nPing-Time:\t0.00\n\
                 Host:       \t{hostname}\nIP:         \t{}\nPort:       \t{}\nAuth-User:  \t{}\nAuth-Realm: \t{}\n\
                 MWI-Account:\t{address}\n\n",
                phone.call_id,
                phone.contact,
                phone.agent,
                local(phone.expires * 1_000_000),
                phone.expires - now,
                phone.ip,
                phone.port,
                phone.user,
                phone.domain,
            );
        }
        let _ = writeln!(out, "Total items returned: {count}\n{LINE}");
        out
    }

    /// The same as XML.
    pub fn xml(&self, profile: &str, hostname: &str, now: i64) -> String {
        let mut out =
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n".to_owned();
        for phone in self.signed_in.iter().filter(|phone| phone.profile == profile) {
            let address = format!("{}@{}", phone.user, phone.domain);
            out.push_str("    <registration>\n");
            for (name, value) in [
                ("call-id", phone.call_id.clone()),
                ("user", address.clone()),
                ("contact", encode(&format!("\"\" <{}>", phone.contact))),
                ("agent", encode(&phone.agent)),
                (
                    "status",
                    format!(
                        "Registered(UDP)(unknown) exp({}) expsecs({})",
                        local(phone.expires * 1_000_000),
                        phone.expires - now
                    ),
                ),
                ("ping-status", "Reachable".to_owned()),
                ("ping-time", "0.00".to_owned()),
                ("host", hostname.to_owned()),
                ("network-ip", phone.ip.clone()),
                ("network-port", phone.port.to_string()),
                ("sip-auth-user", phone.user.clone()),
                ("sip-auth-realm", phone.domain.clone()),
                ("mwi-account", address),
            ] {
                let _ = writeln!(out, "        <{name}>{value}</{name}>");
            }
            out.push_str("    </registration>\n");
        }
        out.push_str("  </registrations>\n</profile>\n");
        out
    }
}

/// A row in JSON, its cells in this order.
pub fn object(cells: &[(&str, String)]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
        .collect();
    format!("{{{}}}", cells.join(","))
}
