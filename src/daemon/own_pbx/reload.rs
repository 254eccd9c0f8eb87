//! Has the running Asterisk read its files again, through its own console.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::{OwnPbxError, main_file};
use crate::config::Config;

/// How long one line may take; a reload of many endpoints takes ten seconds.
const LIMIT: Duration = Duration::from_mins(1);

/// What became of a line of the console.
#[derive(Debug, Serialize)]
pub struct Reloaded {
    /// The line.
    pub line: String,
    /// Why Asterisk did not take it.
    pub error: Option<String>,
}

/// Types the lines, one after the other.
pub fn reload(config: &Config, asterisk_dir: &Path, lines: &[String]) -> Result<Vec<Reloaded>, OwnPbxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OwnPbxError::Runtime)?;
    runtime.block_on(async {
        let mut done = Vec::new();
        for line in lines {
            done.push(Reloaded {
                line: line.clone(),
                error: type_line(config, asterisk_dir, line).await.err(),
            });
        }
        Ok(done)
    })
}

async fn type_line(config: &Config, asterisk_dir: &Path, line: &str) -> Result<(), String> {
    let program = config.deploy.asterisk.as_deref().unwrap_or(Path::new("asterisk"));
    let ended = Command::new(program)
        .arg("-C")
        .arg(main_file(asterisk_dir))
        .args(["-rx", line])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match timeout(LIMIT, ended).await {
        Err(_) => Err(format!("it took longer than {} s", LIMIT.as_secs())),
        Ok(Err(error)) => Err(format!("{}: {error}", program.display())),
        Ok(Ok(ended)) if !ended.status.success() => {
            let words = [ended.stderr, ended.stdout].concat();
            Err(String::from_utf8_lossy(&words).trim().to_owned())
        }
        Ok(Ok(_)) => Ok(()),
    }
}
