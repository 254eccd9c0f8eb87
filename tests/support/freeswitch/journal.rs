//! Every command that came, and when.

use std::sync::Mutex;
use std::time::Instant;

/// One command.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: Instant,
    /// Of the connection, from 0.
    pub connection: usize,
    pub command: String,
}

/// All of them, in the order in which they came.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Vec<Heard>>);

impl Journal {
    pub(super) fn add(&self, connection: usize, command: &str) {
        self.0.lock().unwrap().push(Heard {
            at: Instant::now(),
            connection,
            command: command.to_owned(),
        });
    }

    pub fn all(&self) -> Vec<Heard> {
        self.0.lock().unwrap().clone()
    }

    /// Those that hold this text.
    pub fn with(&self, text: &str) -> Vec<Heard> {
        let mut all = self.all();
        all.retain(|heard| heard.command.contains(text));
        all
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}
