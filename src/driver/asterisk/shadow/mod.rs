//! The shadow Asterisk: a private second one that reads a staged generation for real, before anything is live.

mod config;
mod home;
mod process;

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use thiserror::Error;

use self::home::Home;
use self::process::{Isolation, Process};
use super::log::{self, LogWindow};
use super::program::{Program, ProgramError, RunAs};
use super::session::reading_limit;
use crate::domain::artifact::Artifact;
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::PbxKind;
use crate::driver::Rehearsal;
use crate::driver::files;

/// What a start may take beside the reading. Reading 15 MB of endpoints took 17 to 28 s from start (measured), and grows
/// with the square like a reload: a shadow that needs longer than both hangs.
const START: Duration = Duration::from_secs(90);
/// A module that does not exist: the complaint about it is the last line, and all before it has been written.
const SENTINEL: &str = "switchyard-end-of-reading";
/// How long the log is looked into for it, and how often.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 100;

/// Rehearses generations with a program of its own.
#[derive(Clone, Debug)]
pub struct Shadow {
    program: Program,
    start: Duration,
}

/// Why the shadow did not get to read the files.
#[derive(Debug, Error)]
pub enum ShadowError {
    /// Its program is missing, closed to its user, or no Asterisk.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Its directory could not be made.
    #[error("the shadow's directory could not be prepared")]
    Prepare(#[source] io::Error),
    /// It could not be started.
    #[error("{program} could not be started")]
    Start {
        /// The binary.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended before it had read everything.
    #[error("the shadow ended early ({how}); it said: {said}")]
    Ended {
        /// Its exit status.
        how: String,
        /// The end of what it wrote.
        said: String,
    },
    /// It was still not up in time.
    #[error("the shadow was not up within {} s", .0.as_secs())]
    TooSlow(Duration),
}

impl Shadow {
    /// Removes what shadows of this user left whose process was killed; how many.
    #[must_use]
    pub fn sweep() -> usize {
        home::sweep(&std::env::temp_dir())
    }

    /// A shadow that runs this program.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            start: START,
        }
    }

    /// The same, given up after another time where the files are small.
    #[must_use]
    pub fn given_up_after(self, start: Duration) -> Self {
        Self { start, ..self }
    }

    /// Has a shadow read the files in `staged`, and tells what it complained about.
    pub async fn rehearse(&self, staged: &Path) -> Result<Rehearsal, ShadowError> {
        let begun = Instant::now();
        let version = self.program.version().await?;
        let home = Home::make().map_err(ShadowError::Prepare)?;
        let isolation = Isolation::find(&self.program).await;
        config::write(home.path(), staged, isolation.own_network()).map_err(ShadowError::Prepare)?;
        if let Some(run_as) = self.program.run_as() {
            own(home.path(), run_as).map_err(ShadowError::Prepare)?;
        }
        let pjsip = staged.join(Artifact::Pjsip.as_str());
        let searched = tokio::task::spawn_blocking(move || transports(&pjsip)).await;
        let mut findings = searched
            .map_err(io::Error::other)
            .flatten()
            .map_err(ShadowError::Prepare)?;
        let size = files::size(staged, PbxKind::Asterisk).map_err(ShadowError::Prepare)?;
        let longest = self.start.saturating_add(reading_limit(size));
        let mut process = Process::start(&self.program, home, &isolation)?;
        let lines = tokio::time::timeout(longest, process.read_all())
            .await
            .map_err(|_| ShadowError::TooSlow(longest))??;
        drop(process);
        let message = "a private Asterisk refuses these files; correct what it names and deploy again";
        findings.extend(log::findings(lines, "asterisk_refused", message, Severity::Error));
        for finding in &mut findings {
            if let Some(quote) = &mut finding.quote {
                *quote = quote.replace(&format!("{}/", staged.display()), "");
            }
        }
        let detail = format!(
            "{version} ({}) read the generation in {} ms, {}",
            self.program.path().display(),
            begun.elapsed().as_millis(),
            if isolation.own_network() {
                "without a network"
            } else {
                "with transports left out"
            },
        );
        Ok(Rehearsal { findings, detail })
    }
}

impl Process {
    /// Waits until everything was read, and returns all that was logged up to then.
    async fn read_all(&mut self) -> Result<Vec<log::LogLine>, ShadowError> {
        self.opened().await?;
        self.console("core waitfullybooted").await?;
        let window = LogWindow::from_start(&self.home().join("log/findings"));
        loop {
            // Again and again, since a logger with too much to do drops lines.
            self.console(&format!("module load {SENTINEL}.so")).await?;
            for _ in 0..LOOKS {
                let mut lines = window.lines().map_err(ShadowError::Prepare)?;
                if let Some(end) = lines.iter().position(|line| line.message.contains(SENTINEL)) {
                    lines.truncate(end);
                    return Ok(lines);
                }
                if window.overflows().map_err(ShadowError::Prepare)? {
                    return Ok(lines);
                }
                self.check_alive()?;
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// Transports belong to the operator's own pjsip.conf: a bad one stops all SIP, so none comes in through a template.
///
/// Line by line, for the file of a large box is longer than the memory that a deploy may take.
fn transports(pjsip: &Path) -> io::Result<Vec<Finding>> {
    let is_transport = |line: &str| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim().eq_ignore_ascii_case("type")
                && value
                    .trim_start_matches('>')
                    .trim()
                    .to_ascii_lowercase()
                    .starts_with("transport")
        })
    };
    let file = Artifact::Pjsip;
    let mut findings = Vec::new();
    for (line, number) in BufReader::new(File::open(pjsip)?).split(b'\n').zip(1_usize..) {
        if is_transport(&String::from_utf8_lossy(&line?)) {
            let message = format!(
                "line {number} of {file} begins a transport; transports stand in the operator's own pjsip.conf, since a \
                 reload with a bad one stops all SIP"
            );
            findings.push(Finding::error("transport_in_template", message).about(file.as_str()));
        }
    }
    Ok(findings)
}

fn own(home: &Path, RunAs { uid, gid }: RunAs) -> io::Result<()> {
    std::os::unix::fs::chown(home, Some(uid), Some(gid))?;
    for entry in fs::read_dir(home)? {
        std::os::unix::fs::chown(entry?.path(), Some(uid), Some(gid))?;
    }
    Ok(())
}
