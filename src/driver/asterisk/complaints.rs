//! What Asterisk complained about during a reload, read from its log up to a line that it is made to write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::log::{LogLine, LogWindow};
use super::session::Session;

/// How often Asterisk is asked for the line, how often that is looked for, and at which distance: for 5 s in all. It
/// takes milliseconds.
const ASKS: usize = 10;
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(5);

/// Tells the lines asked for by several readings apart.
static READINGS: AtomicU64 = AtomicU64::new(0);

/// What was logged in the window, and whether that is all of it, else why not.
///
/// Asterisk answers a reload before its logger has written what the reload complained about (measured). What it
/// complains about is written in order, so it is asked for an AOR that is not there, and that complaint is waited for.
pub async fn read(session: &Session, window: &LogWindow) -> (Vec<LogLine>, Result<(), String>) {
    let end = format!(
        "switchyard-end-of-log-{}",
        READINGS.fetch_add(1, Ordering::Relaxed)
    );
    let mut lines = Vec::new();
    for _ in 0..ASKS {
        // Again and again, since a logger with too much to do drops lines.
        if let Err(error) = session.variable(&format!("PJSIP_AOR({end},contact)")).await {
            return (lines, Err(error.full()));
        }
        for _ in 0..LOOKS {
            let overflows = match (window.lines(), window.overflows()) {
                (Ok(read), Ok(overflows)) => {
                    lines = read;
                    overflows
                }
                (Err(error), _) | (_, Err(error)) => return (lines, Err(error.to_string())),
            };
            if lines.iter().any(|line| line.message.contains(&end)) {
                return (lines, Ok(()));
            }
            if overflows {
                return (lines, Err("there is more of it than is read".to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    (lines, Err("what Asterisk logs does not arrive there".to_owned()))
}
