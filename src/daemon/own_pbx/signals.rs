//! The signals that would end a command in the middle of its work.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Notes them from its making on: by Ctrl-C, by `kill`, and by the end of the terminal.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes them over, for as long as the process lives. Inside a Tokio runtime only.
    pub fn note() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns once one has come.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
