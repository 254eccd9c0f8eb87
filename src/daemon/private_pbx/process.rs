//! The PBX's process, owned by a thread of its own: the kernel kills the process when that thread ends, and a thread
//! ends with the daemon however the daemon ends.

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// An orderly stop takes Asterisk some 2 s (measured).
const ORDERLY: Duration = Duration::from_secs(10);

/// A process that ends when this is dropped, or with the daemon.
pub struct Process {
    stop: DropGuard,
    ended: watch::Receiver<Option<String>>,
}

impl Process {
    /// Starts a command that asks to be killed when the thread ends that started it. `held` stays open until the process
    /// has ended.
    pub async fn start(command: std::process::Command, held: File) -> io::Result<Self> {
        let stopped = CancellationToken::new();
        let (tell_started, started) = oneshot::channel();
        let (tell_ended, ended) = watch::channel(None);
        // From here on, so that a start that is given up leaves nothing behind.
        let stop = stopped.clone().drop_guard();
        thread::Builder::new()
            .name("private-pbx".to_owned())
            .spawn(move || {
                let how = own(command, tell_started, &stopped);
                drop(held);
                tell_ended.send_replace(how);
            })?;
        started.await.map_err(io::Error::other)??;
        Ok(Self { stop, ended })
    }

    /// How the process ended, if it has.
    pub fn has_ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits until the process has ended, and tells how.
    pub async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "its thread is gone".to_owned(),
        }
    }

    /// Stops it: in order, or after a while by force.
    pub async fn stop(self) {
        let Self { stop, mut ended } = self;
        drop(stop);
        // An error means that the thread is gone, and the process with it.
        let _ = ended.wait_for(Option::is_some).await;
    }
}

/// Runs the command to its end, and tells how it ended; `None` if it did not begin.
fn own(
    command: std::process::Command,
    started: oneshot::Sender<io::Result<()>>,
    stop: &CancellationToken,
) -> Option<String> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error));
            return None;
        }
    };
    runtime.block_on(async {
        let mut child = match Command::from(command).kill_on_drop(true).spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = started.send(Err(error));
                return None;
            }
        };
        // Nobody hears this where the start was given up; then the process is stopped at once.
        let _ = started.send(Ok(()));
        let status = tokio::select! {
            status = child.wait() => status,
            () = stop.cancelled() => end(&mut child).await,
        };
        Some(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
    })
}

async fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    // `id` is there until the process was waited for, so its number cannot be another's yet.
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended a moment ago.
        let _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(ORDERLY, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}
