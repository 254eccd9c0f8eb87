//! Calls that are up, as legs with the columns and variables that FreeSWITCH shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::event::Event;
use super::identity::{Names, Novelties, local};
use super::phones::object;

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
    pub domain_uuid: String,
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
            domain_uuid: String::new(),
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
struct Leg {
    cells: Vec<(&'static str, String)>,
    variables: BTreeMap<String, String>,
}

impl Leg {
    fn cell(&self, name: &str) -> &str {
        let found = self.cells.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value)
    }
}

#[derive(Debug)]
struct Call {
    uuid: String,
    legs: Vec<Leg>,
    begun: Instant,
    ended: Option<Instant>,
}

/// All calls.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
    /// How far the tables are behind.
    pub lag: Duration,
}

impl Calls {
    /// Puts a call up; gives its name and its number of legs.
    pub fn add(&mut self, new: &NewCall, names: &Names, novelties: &Novelties) -> (String, usize) {
        let uuid = novelties.uuid();
        let created = novelties.micros();
        let mut legs = vec![first_leg(new, names, created, &uuid)];
        if new.answered {
            let created = created + new.rings * 1_000_000;
            legs.push(second_leg(new, names, created, &uuid, &novelties.uuid()));
        }
        let count = legs.len();
        self.calls.push(Call {
            uuid: uuid.clone(),
            legs,
            begun: Instant::now(),
            ended: None,
        });
        (uuid, count)
    }

    fn up(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.ended.is_none())
    }

    fn shown(&self) -> impl Iterator<Item = &Call> {
        let lagging = |since: Instant| since.elapsed() < self.lag;
        self.calls
            .iter()
            .filter(move |call| !lagging(call.begun) && call.ended.is_none_or(lagging))
    }

    /// The calls that are up.
    pub fn uuids(&self) -> Vec<String> {
        self.up().map(|call| call.uuid.clone()).collect()
    }

    /// Legs that are up.
    pub fn sessions(&self) -> usize {
        self.up().map(|call| call.legs.len()).sum()
    }

    /// Ends each call of which a leg has all of these variables.
    pub fn hang_up(&mut self, variables: &[(&str, &str)]) {
        self.end(|leg| {
            let has = |(name, value): &(&str, &str)| leg.variables.get(*name).is_some_and(|v| v == value);
            variables.iter().all(has)
        });
    }

    /// Ends the call that this leg belongs to; whether there was one.
    pub fn kill(&mut self, leg: &str) -> bool {
        self.end(|l| l.cell("uuid") == leg)
    }

    fn end(&mut self, meant: impl Fn(&Leg) -> bool) -> bool {
        let mut any = false;
        for call in self.calls.iter_mut().filter(|call| call.ended.is_none()) {
            if call.legs.iter().any(&meant) {
                call.ended = Some(Instant::now());
                any = true;
            }
        }
        any
    }

    /// The rows of `show channels`.
    pub fn channels(&self) -> Vec<String> {
        let legs = self.shown().flat_map(|call| &call.legs);
        legs.map(|leg| object(&leg.cells)).collect()
    }

    /// The rows of `show calls`: one for both legs, those of the second with `b_` before.
    pub fn rows(&self) -> Vec<String> {
        self.shown()
            .map(|call| {
                let (first, second) = (&call.legs[0], call.legs.get(1));
                let both = ["uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num",
                    "ip_addr", "dest", "presence_id", "presence_data", "accountcode", "callstate", "callee_name",
                    "callee_num", "callee_direction"];
                let ends = ["sent_callee_name", "sent_callee_num"];
                let own = ["call_uuid", "hostname"];
                let cell = |leg: &Leg, name: &str| (name.to_owned(), leg.cell(name).to_owned());
                let a = both.iter().chain(&own).chain(&ends).map(|name| cell(first, name));
                let b = both.iter().chain(&ends).map(|name| {
                    (format!("b_{name}"), second.map(|leg| leg.cell(name).to_owned()).unwrap_or_default())
                });
                let created = ("call_created_epoch".to_owned(), first.cell("created_epoch").to_owned());
                let cells: Vec<(String, String)> = a.chain(b).chain([created]).collect();
                let cells: Vec<(&str, String)> = cells.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
                object(&cells)
            })
            .collect()
    }

    /// What `uuid_dump` prints of a leg.
    pub fn dump(&self, uuid: &str, names: &Names, novelties: &Novelties) -> Option<String> {
        let leg = self.up().flat_map(|call| &call.legs).find(|leg| leg.cell("uuid") == uuid)?;
        let source = ["mod_commands.c", "uuid_dump_function", "6495"];
        let mut event = Event::default().signed("CHANNEL_DATA", names, novelties, source);
        for (header, cell) in [
            ("Channel-State", "state"),
            ("Channel-Call-State", "callstate"),
            ("Channel-Name", "name"),
            ("Unique-ID", "uuid"),
            ("Call-Direction", "direction"),
            ("Channel-Presence-ID", "presence_id"),
            ("Channel-Call-UUID", "call_uuid"),
            ("Caller-Caller-ID-Number", "cid_num"),
            ("Caller-Destination-Number", "dest"),
            ("Caller-Context", "context"),
        ] {
            event.push(header, leg.cell(cell));
        }
        for (name, value) in &leg.variables {
            event.push(&format!("variable_{name}"), value);
        }
        Some(event.plain())
    }
}

/// What both legs of a call have, in the order of the table.
fn leg(new: &NewCall, names: &Names, created: i64, call: &str, own: &[(&'static str, &str)]) -> Leg {
    let created_at = local(created);
    let epoch = (created / 1_000_000).to_string();
    let columns = [
        ("uuid", ""), ("direction", ""), ("created", created_at.as_str()), ("created_epoch", epoch.as_str()), ("name", ""),
        ("state", ""), ("cid_name", ""), ("cid_num", ""), ("ip_addr", ""), ("dest", &new.to), ("application", ""),
        ("application_data", ""), ("dialplan", "XML"), ("context", &new.domain), ("read_codec", "PCMU"),
        ("read_rate", "8000"), ("read_bit_rate", "64000"), ("write_codec", "PCMU"), ("write_rate", "8000"),
        ("write_bit_rate", "64000"), ("secure", ""), ("hostname", &names.hostname), ("presence_id", ""),
        ("presence_data", ""), ("accountcode", ""), ("callstate", "ACTIVE"), ("callee_name", ""),
        ("callee_num", &new.to), ("callee_direction", "SEND"), ("call_uuid", call), ("sent_callee_name", ""),
        ("sent_callee_num", ""), ("initial_cid_name", ""), ("initial_cid_num", ""), ("initial_ip_addr", ""),
        ("initial_dest", ""), ("initial_dialplan", "XML"), ("initial_context", ""),
    ];
    let cells = columns.iter().map(|(name, value)| {
        let value = own.iter().find(|(key, _)| key == name).map_or(*value, |(_, value)| value);
        (*name, value.to_owned())
    });
    Leg {
        cells: cells.collect(),
        variables: BTreeMap::new(),
    }
}

fn first_leg(new: &NewCall, names: &Names, created: i64, uuid: &str) -> Leg {
    let bridged = format!("user/{}@{}", new.to, new.domain);
    match &new.caller {
        Caller::Extension { number, .. } => {
            let address = format!("{number}@{}", new.domain);
            let name = format!("sofia/internal/{address}");
            let mut leg = leg(new, names, created, uuid, &[
                ("uuid", uuid), ("direction", "inbound"), ("name", &name), ("state", "CS_EXECUTE"),
                ("cid_name", number), ("cid_num", number), ("ip_addr", "127.0.0.1"), ("application", "bridge"),
                ("application_data", &bridged), ("presence_id", &address), ("accountcode", &new.domain),
                ("callee_name", &new.to), ("sent_callee_name", &new.to), ("sent_callee_num", &new.to),
                ("initial_cid_name", number), ("initial_cid_num", number), ("initial_ip_addr", "127.0.0.1"),
                ("initial_dest", &new.to), ("initial_context", &new.domain),
            ]);
            tell_domain(&mut leg, new);
            leg.variables.insert("accountcode".to_owned(), new.domain.clone());
            leg.variables.insert("user_context".to_owned(), new.domain.clone());
            leg
        }
        Caller::Outside { number, name, host, ip, dialled } => {
            let address = format!("{number}@{host}");
            let channel = format!("sofia/external/{address}");
            let (context, dest, state, application, data) = if new.answered {
                (new.domain.as_str(), new.to.as_str(), "ACTIVE", "bridge", bridged.as_str())
            } else {
                ("public", dialled.as_str(), "RINGING", "", "")
            };
            let mut leg = leg(new, names, created, uuid, &[
                ("uuid", uuid), ("direction", "inbound"), ("name", &channel), ("state", "CS_EXECUTE"),
                ("cid_name", name), ("cid_num", number), ("ip_addr", ip), ("dest", dest), ("application", application),
                ("application_data", data), ("context", context), ("callstate", state), ("presence_id", &address),
                ("callee_name", dialled), ("sent_callee_name", dialled), ("sent_callee_num", &new.to),
                ("initial_cid_name", name), ("initial_cid_num", number), ("initial_ip_addr", ip),
                ("initial_dest", dialled), ("initial_context", "public"),
            ]);
            if new.answered {
                tell_domain(&mut leg, new);
            }
            leg
        }
    }
}

fn second_leg(new: &NewCall, names: &Names, created: i64, call: &str, uuid: &str) -> Leg {
    let (number, name, ip, callee) = match &new.caller {
        Caller::Extension { number, name } => (number, name, "127.0.0.1", &new.to),
        Caller::Outside { number, name, ip, dialled, .. } => (number, name, ip.as_str(), dialled),
    };
    let channel = format!("sofia/internal/{}@127.0.0.1:{}", new.to, new.port);
    let presence = format!("{}@{}", new.to, new.domain);
    let mut leg = leg(new, names, created, call, &[
        ("uuid", uuid), ("direction", "outbound"), ("name", &channel), ("state", "CS_EXCHANGE_MEDIA"),
        ("cid_name", name), ("cid_num", number), ("ip_addr", ip), ("presence_id", &presence), ("callee_name", callee),
        ("sent_callee_name", name), ("sent_callee_num", number), ("initial_cid_name", name),
        ("initial_cid_num", number), ("initial_ip_addr", ip), ("initial_dest", &new.to),
        ("initial_context", &new.domain),
    ]);
    tell_domain(&mut leg, new);
    leg
}

/// The variables that say whose call it is.
fn tell_domain(leg: &mut Leg, new: &NewCall) {
    leg.variables.insert("domain_name".to_owned(), new.domain.clone());
    if !new.domain_uuid.is_empty() {
        leg.variables.insert("domain_uuid".to_owned(), new.domain_uuid.clone());
    }
}
