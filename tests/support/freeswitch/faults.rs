//! What goes wrong, set while it runs.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// What happens at a command instead of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The connection closes, and nothing was done.
    CloseUndone,
    /// It is done, and the connection closes without a word.
    CloseDone,
    /// Nothing is done or said, and nothing closes.
    HangUndone,
    /// It is done, and then nothing is said.
    HangDone,
    /// These bytes come, and nothing was done.
    Bytes(Vec<u8>),
    /// An API function prints this, and nothing was done.
    Print(String),
    /// A job begins and never ends.
    JobWithoutEnd,
}

/// At which command what happens.
#[derive(Debug, Clone)]
pub struct Fault {
    matching: String,
    /// How many more commands that match are answered before.
    skip: usize,
    always: bool,
    effect: Effect,
}

impl Fault {
    /// At the first command that holds this text, once.
    pub fn at(matching: impl Into<String>, effect: Effect) -> Self {
        Self {
            matching: matching.into(),
            skip: 0,
            always: false,
            effect,
        }
    }

    /// At the `n`-th of them, counted from 1.
    pub fn nth(mut self, n: usize) -> Self {
        self.skip = n - 1;
        self
    }

    /// At each from then on.
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
}

/// All faults of one FreeSWITCH.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    address_denied: bool,
    /// Bytes that may still be sent, on whichever connection.
    bytes_left: Option<usize>,
    delay: Duration,
    faults: Vec<Fault>,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn add(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Nothing goes wrong any longer.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// Whether new connections are told to go away.
    pub fn deny_address(&self, denied: bool) {
        self.state().address_denied = denied;
    }

    /// After so many more bytes the connection that sends them closes, once.
    pub fn close_after(&self, bytes: usize) {
        self.state().bytes_left = Some(bytes);
    }

    /// Each answer waits that long.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    pub(super) fn is_denied(&self) -> bool {
        self.state().address_denied
    }

    pub(super) fn wait(&self) -> Duration {
        self.state().delay
    }

    /// What happens at this command.
    pub(super) fn on(&self, command: &str) -> Option<Effect> {
        let faults = &mut self.state().faults;
        let mut hit = None;
        for (at, fault) in faults.iter_mut().enumerate() {
            if !command.contains(&fault.matching) {
                continue;
            }
            if let Some(left) = fault.skip.checked_sub(1) {
                fault.skip = left;
            } else {
                hit = Some(at);
                break;
            }
        }
        let at = hit?;
        if faults[at].always {
            return Some(faults[at].effect.clone());
        }
        Some(faults.remove(at).effect)
    }

    /// How many of these bytes may be sent; fewer than all: the connection closes then.
    pub(super) fn allowed(&self, bytes: usize) -> usize {
        let left = &mut self.state().bytes_left;
        match *left {
            Some(few) if few < bytes => {
                *left = None;
                few
            }
            Some(many) => {
                *left = Some(many - bytes);
                bytes
            }
            None => bytes,
        }
    }
}
