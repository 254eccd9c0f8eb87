//! What systemd is told of the daemon; without systemd nobody is told anything.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

type Send = Box<dyn Fn(&[NotifyState<'_>]) -> io::Result<()> + std::marker::Send>;

/// The service manager that started the daemon.
pub struct Supervisor {
    send: Send,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names, if any.
    pub fn of_process() -> Self {
        Self {
            send: Box::new(sd_notify::notify),
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// How often it wants to hear that the daemon is alive: twice in the time after which it would end it.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
            .map(|limit| limit / 2)
            .filter(|interval| !interval.is_zero())
    }

    /// The daemon serves.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// The daemon is alive.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// The daemon is ending.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = (self.send)(states) {
            tracing::warn!(%error, "systemd could not be told: {states:?}");
        }
    }
}

#[cfg(test)]
impl Supervisor {
    /// One that writes down what it hears.
    pub fn recording(watchdog: Option<Duration>) -> (Self, std::sync::mpsc::Receiver<String>) {
        let (sender, heard) = std::sync::mpsc::channel();
        let send = move |states: &[NotifyState<'_>]| {
            let first = states.first().map(ToString::to_string).unwrap_or_default();
            sender.send(first).map_err(io::Error::other)
        };
        let supervisor = Self {
            send: Box::new(send),
            watchdog,
        };
        (supervisor, heard)
    }
}
