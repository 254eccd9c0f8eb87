//! A process of the program that a test stops and kills.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Killed when it is dropped.
pub struct Victim(Child);

impl Victim {
    pub fn spawn(command: &mut Command) -> Self {
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(silent.spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The same, with what it logs in a file.
    pub fn logged(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Stops it where it stands; whether it was still there.
    pub fn stop(&mut self) -> bool {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Kills it and waits until it is gone; whether it was still there.
    pub fn kill(mut self) -> bool {
        self.end()
    }

    fn signal(&mut self, signal: Signal) -> bool {
        let is_there = matches!(self.0.try_wait(), Ok(None));
        let pid = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        is_there && kill_process(pid, signal).is_ok()
    }

    fn end(&mut self) -> bool {
        let was_there = self.signal(Signal::KILL);
        self.0.wait().unwrap();
        was_there
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.end();
    }
}
