//! Calls that are up, the tables that show them, and their end.

use std::time::{Duration, Instant};

use super::event::Event;
use super::identity::{Names, Novelties};
use super::legs::{self, Leg, NewCall};
use super::phones::object;

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
        let mut legs = vec![legs::first(new, names, created, &uuid)];
        if new.answered {
            let created = created + new.rings * 1_000_000;
            legs.push(legs::second(new, names, created, &uuid, &novelties.uuid()));
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
                let both = [
                    "uuid",
                    "direction",
                    "created",
                    "created_epoch",
                    "name",
                    "state",
                    "cid_name",
                    "cid_num",
                    "ip_addr",
                    "dest",
                    "presence_id",
                    "presence_data",
                    "accountcode",
                    "callstate",
                    "callee_name",
                    "callee_num",
                    "callee_direction",
                ];
                let ends = ["sent_callee_name", "sent_callee_num"];
                let own = ["call_uuid", "hostname"];
                let cell = |leg: &Leg, name: &str| (name.to_owned(), leg.cell(name).to_owned());
                let a = both.iter().chain(&own).chain(&ends).map(|name| cell(first, name));
                let b = both.iter().chain(&ends).map(|name| {
                    (
                        format!("b_{name}"),
                        second.map(|leg| leg.cell(name).to_owned()).unwrap_or_default(),
                    )
                });
                let created = (
                    "call_created_epoch".to_owned(),
                    first.cell("created_epoch").to_owned(),
                );
                let cells: Vec<(String, String)> = a.chain(b).chain([created]).collect();
                let cells: Vec<(&str, String)> = cells.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
                object(&cells)
            })
            .collect()
    }

    /// What `uuid_dump` prints of a leg.
    pub fn dump(&self, uuid: &str, names: &Names, novelties: &Novelties) -> Option<String> {
        let leg = self
            .up()
            .flat_map(|call| &call.legs)
            .find(|leg| leg.cell("uuid") == uuid)?;
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
