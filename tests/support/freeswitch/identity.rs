//! What a FreeSWITCH says of itself: its names, its time, its figures.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{IdSource as _, SystemIds};

/// Names that stay. By default those of the recorded one.
#[derive(Debug, Clone)]
pub struct Names {
    pub hostname: String,
    /// `1.11.3-dev~64bit`
    pub version: String,
    /// The same as people read it.
    pub version_for_people: String,
    pub core_uuid: String,
    pub ipv4: String,
    pub ipv6: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            hostname: "vm".to_owned(),
            version: "1.11.3-dev~64bit".to_owned(),
            version_for_people: "1.11.3-dev  64bit".to_owned(),
            core_uuid: "e1e76fc9-2bad-4394-8355-74ec0ca187ad".to_owned(),
            ipv4: "192.0.2.2".to_owned(),
            ipv6: "fd00::2".to_owned(),
        }
    }
}

/// What `status` shows beside the number of sessions.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Microseconds since the start; `None` counts them.
    pub uptime: Option<i64>,
    pub sessions_since_start: usize,
    pub peak: usize,
    /// Of the processor, in percent.
    pub idle: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            uptime: None,
            sessions_since_start: 0,
            peak: 0,
            idle: 98.5,
        }
    }
}

/// The time, and whatever else is new each time unless a test says what comes next.
#[derive(Debug)]
pub struct Novelties {
    /// Microseconds since 1970; `None` is the system's clock.
    time: Mutex<Option<i64>>,
    started: i64,
    uuids: Mutex<VecDeque<String>>,
    sequence: AtomicU64,
}

impl Default for Novelties {
    fn default() -> Self {
        Self {
            time: Mutex::default(),
            started: SystemClock.now().as_microsecond(),
            uuids: Mutex::default(),
            sequence: AtomicU64::new(1),
        }
    }
}

impl Novelties {
    /// The time stands still at so many microseconds since 1970.
    pub fn stop_clock(&self, at: i64) {
        *self.time.lock().unwrap() = Some(at);
    }

    /// The next names that are made up.
    pub fn next_uuids<'a>(&self, uuids: impl IntoIterator<Item = &'a str>) {
        self.uuids
            .lock()
            .unwrap()
            .extend(uuids.into_iter().map(str::to_owned));
    }

    /// The number of the next event.
    pub fn next_event(&self, number: u64) {
        self.sequence.store(number, Ordering::SeqCst);
    }

    pub(super) fn micros(&self) -> i64 {
        let stopped = *self.time.lock().unwrap();
        stopped.unwrap_or_else(|| SystemClock.now().as_microsecond())
    }

    pub(super) fn seconds(&self) -> i64 {
        self.micros() / 1_000_000
    }

    pub(super) fn uptime(&self) -> i64 {
        self.micros() - self.started
    }

    pub(super) fn uuid(&self) -> String {
        let next = self.uuids.lock().unwrap().pop_front();
        next.unwrap_or_else(|| SystemIds.next().to_string())
    }

    pub(super) fn number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::SeqCst)
    }
}

/// A time as FreeSWITCH writes it, whose host is in UTC.
pub fn written(micros: i64, form: &str) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap();
    time.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

/// `2026-11-20 14:29:04`
pub fn local(micros: i64) -> String {
    written(micros, "%Y-%m-%d %H:%M:%S")
}
