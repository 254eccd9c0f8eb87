//! What Asterisk complained about during a reload, read from its log between two lines that it is made to write.

use std::time::Duration;

use super::log::{LogLine, LogWindow};
use super::session::Session;
use crate::domain::random::{self, Randomness};

/// How often Asterisk is asked for the line, how often that is looked for, and at which distance: for 5 s in all, and for 2 s
/// before a reload. It takes milliseconds.
const ASKS: usize = 10;
const ASKS_BEFORE: usize = 4;
const LOOKS: usize = 500;
const LOOK: Duration = Duration::from_millis(1);

/// What makes a reading's own line: whoever reads at the same time, in this process or another, waits for another one.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 24;

/// Waits until all is in the log that Asterisk has to say so far: being asked for a file that stands there it complains of that
/// too, and answers before its logger has written so. Where nothing arrives, what comes late is taken for the reload's.
pub async fn settle(session: &Session, window: &LogWindow, random: &dyn Randomness) {
    let (_, settled) = read_within(session, window, random, ASKS_BEFORE).await;
    if let Err(detail) = settled {
        tracing::debug!(detail, "what was logged before a reload may come late");
    }
}

/// What was logged in the window, and whether that is all of it, else why not.
///
/// Asterisk answers a reload before its logger has written what the reload complained about (measured). What it
/// complains about is written in order, so it is asked for an AOR that is not there, and that complaint is waited for.
pub async fn read(
    session: &Session,
    window: &LogWindow,
    random: &dyn Randomness,
) -> (Vec<LogLine>, Result<(), String>) {
    read_within(session, window, random, ASKS).await
}

async fn read_within(
    session: &Session,
    window: &LogWindow,
    random: &dyn Randomness,
    asks: usize,
) -> (Vec<LogLine>, Result<(), String>) {
    let end = match random::text(random, LETTERS, LENGTH) {
        Ok(text) => format!("switchyard-end-of-log-{text}"),
        Err(error) => return (Vec::new(), Err(error.to_string())),
    };
    let mut lines = Vec::new();
    for _ in 0..asks {
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
            if lines.iter().any(|line| names(&line.message, &end)) {
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

/// Whether one of the words of a line is this one, whole.
fn names(message: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    message.split(|c| !is_part(c)).any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_line_of_this_reading_ends_it() {
        let message = "Failed to retrieve information for AOR 'switchyard-end-of-log-ab'";
        assert!(names(message, "switchyard-end-of-log-ab"));
        for other in [
            "switchyard-end-of-log-a",
            "switchyard-end-of-log-abc",
            "end-of-log-ab",
        ] {
            assert!(!names(message, other), "{other}");
        }
    }
}
