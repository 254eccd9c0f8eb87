//! The legs of a call, with the columns and variables that FreeSWITCH shows of them.

use std::collections::BTreeMap;

use super::identity::{Names, local};

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    /// An extension of the domain, and the name that it shows.
    Extension { number: String, name: String },
    /// Somebody outside, through this number of the domain.
    Outside {
        number: String,
        name: String,
        /// `carrier.example`
        host: String,
        ip: String,
        dialled: String,
    },
}

/// A call to an extension that is about to be.
#[derive(Debug, Clone)]
pub struct NewCall {
    pub domain: String,
    pub caller: Caller,
    /// The extension that is called, and the port of its phone.
    pub to: String,
    pub port: u16,
    /// A call from outside that nobody has answered yet has no second leg, and nothing that names a tenant.
    pub answered: bool,
    /// Seconds from the first leg to the second.
    pub rings: i64,
}

impl NewCall {
    /// Between two extensions.
    pub fn within(domain: &str, from: &str, to: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            caller: Caller::Extension {
                number: from.to_owned(),
                name: from.to_owned(),
            },
            to: to.to_owned(),
            port: 5098,
            answered: true,
            rings: 0,
        }
    }
}

/// One leg.
#[derive(Debug, Clone)]
pub struct Leg {
    pub cells: Vec<(&'static str, String)>,
    pub variables: BTreeMap<String, String>,
}

impl Leg {
    pub fn cell(&self, name: &str) -> &str {
        let found = self.cells.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// What both legs of a call have, in the order of the table.
fn leg(new: &NewCall, names: &Names, created: i64, call: &str, own: &[(&'static str, &str)]) -> Leg {
    let created_at = local(created);
    let epoch = (created / 1_000_000).to_string();
    let columns = [
        ("uuid", ""),
        ("direction", ""),
        ("created", created_at.as_str()),
        ("created_epoch", epoch.as_str()),
        ("name", ""),
        ("state", ""),
        ("cid_name", ""),
        ("cid_num", ""),
        ("ip_addr", ""),
        ("dest", &new.to),
        ("application", ""),
        ("application_data", ""),
        ("dialplan", "XML"),
        ("context", &new.domain),
        ("read_codec", "PCMU"),
        ("read_rate", "8000"),
        ("read_bit_rate", "64000"),
        ("write_codec", "PCMU"),
        ("write_rate", "8000"),
        ("write_bit_rate", "64000"),
        ("secure", ""),
        ("hostname", &names.hostname),
        ("presence_id", ""),
        ("presence_data", ""),
        ("accountcode", ""),
        ("callstate", "ACTIVE"),
        ("callee_name", ""),
        ("callee_num", &new.to),
        ("callee_direction", "SEND"),
        ("call_uuid", call),
        ("sent_callee_name", ""),
        ("sent_callee_num", ""),
        ("initial_cid_name", ""),
        ("initial_cid_num", ""),
        ("initial_ip_addr", ""),
        ("initial_dest", ""),
        ("initial_dialplan", "XML"),
        ("initial_context", ""),
    ];
    let cells = columns.iter().map(|(name, value)| {
        let value = own
            .iter()
            .find(|(key, _)| key == name)
            .map_or(*value, |(_, value)| value);
        (*name, value.to_owned())
    });
    Leg {
        cells: cells.collect(),
        variables: BTreeMap::new(),
    }
}

/// That of whoever calls.
pub fn first(new: &NewCall, names: &Names, created: i64, uuid: &str) -> Leg {
    let bridged = format!("user/{}@{}", new.to, new.domain);
    match &new.caller {
        Caller::Extension { number, .. } => {
            let address = format!("{number}@{}", new.domain);
            let name = format!("sofia/internal/{address}");
            let mut leg = leg(
                new,
                names,
                created,
                uuid,
                &[
                    ("uuid", uuid),
                    ("direction", "inbound"),
                    ("name", &name),
                    ("state", "CS_EXECUTE"),
                    ("cid_name", number),
                    ("cid_num", number),
                    ("ip_addr", "127.0.0.1"),
                    ("application", "bridge"),
                    ("application_data", &bridged),
                    ("presence_id", &address),
                    ("accountcode", &new.domain),
                    ("callee_name", &new.to),
                    ("sent_callee_name", &new.to),
                    ("sent_callee_num", &new.to),
                    ("initial_cid_name", number),
                    ("initial_cid_num", number),
                    ("initial_ip_addr", "127.0.0.1"),
                    ("initial_dest", &new.to),
                    ("initial_context", &new.domain),
                ],
            );
            tell_domain(&mut leg, new);
            leg.variables.insert("accountcode".to_owned(), new.domain.clone());
            leg.variables
                .insert("user_context".to_owned(), new.domain.clone());
            leg
        }
        Caller::Outside {
            number,
            name,
            host,
            ip,
            dialled,
        } => {
            let address = format!("{number}@{host}");
            let channel = format!("sofia/external/{address}");
            let (context, dest, state, application, data) = if new.answered {
                (
                    new.domain.as_str(),
                    new.to.as_str(),
                    "ACTIVE",
                    "bridge",
                    bridged.as_str(),
                )
            } else {
                ("public", dialled.as_str(), "RINGING", "", "")
            };
            let mut leg = leg(
                new,
                names,
                created,
                uuid,
                &[
                    ("uuid", uuid),
                    ("direction", "inbound"),
                    ("name", &channel),
                    ("state", "CS_EXECUTE"),
                    ("cid_name", name),
                    ("cid_num", number),
                    ("ip_addr", ip),
                    ("dest", dest),
                    ("application", application),
                    ("application_data", data),
                    ("context", context),
                    ("callstate", state),
                    ("presence_id", &address),
                    ("callee_name", dialled),
                    ("sent_callee_name", dialled),
                    ("sent_callee_num", &new.to),
                    ("initial_cid_name", name),
                    ("initial_cid_num", number),
                    ("initial_ip_addr", ip),
                    ("initial_dest", dialled),
                    ("initial_context", "public"),
                ],
            );
            if new.answered {
                tell_domain(&mut leg, new);
            }
            leg
        }
    }
}

/// That of whoever is called.
pub fn second(new: &NewCall, names: &Names, created: i64, call: &str, uuid: &str) -> Leg {
    let (number, name, ip, callee) = match &new.caller {
        Caller::Extension { number, name } => (number, name, "127.0.0.1", &new.to),
        Caller::Outside {
            number,
            name,
            ip,
            dialled,
            ..
        } => (number, name, ip.as_str(), dialled),
    };
    let channel = format!("sofia/internal/{}@127.0.0.1:{}", new.to, new.port);
    let presence = format!("{}@{}", new.to, new.domain);
    let mut leg = leg(
        new,
        names,
        created,
        call,
        &[
            ("uuid", uuid),
            ("direction", "outbound"),
            ("name", &channel),
            ("state", "CS_EXCHANGE_MEDIA"),
            ("cid_name", name),
            ("cid_num", number),
            ("ip_addr", ip),
            ("presence_id", &presence),
            ("callee_name", callee),
            ("sent_callee_name", name),
            ("sent_callee_num", number),
            ("initial_cid_name", name),
            ("initial_cid_num", number),
            ("initial_ip_addr", ip),
            ("initial_dest", &new.to),
            ("initial_context", &new.domain),
        ],
    );
    tell_domain(&mut leg, new);
    leg
}

/// The variables that say whose call it is.
fn tell_domain(leg: &mut Leg, new: &NewCall) {
    leg.variables.insert("domain_name".to_owned(), new.domain.clone());
}
