//! What Asterisk complained about during a reload, read from its log up to a line that it is made to write.

use std::time::Duration;

use super::log::{LogLine, LogWindow};
use super::session::Session;
use crate::domain::random::{self, Randomness};

/// How often Asterisk is asked for the line, how often that is looked for, and at which distance: for 5 s in all. It
/// takes milliseconds.
const ASKS: usize = 10;
const LOOKS: usize = 500;
const LOOK: Duration = Duration::from_millis(1);

/// What makes a reading's own line: whoever reads at the same time, in this process or another, waits for another one.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 24;

/// What was logged in the window, and whether that is all of it, else why not.
///
/// Asterisk answers a reload before its logger has written what the reload complained about (measured). What it
/// complains about is written in order, so it is asked for an AOR that is not there, and that complaint is waited for.
pub async fn read(
    session: &Session,
    window: &LogWindow,
    random: &dyn Randomness,
) -> (Vec<LogLine>, Result<(), String>) {
    let end = match random::text(random, LETTERS, LENGTH) {
        Ok(text) => format!("switchyard-end-of-log-{text}"),
        Err(error) => return (Vec::new(), Err(error.to_string())),
    };
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
