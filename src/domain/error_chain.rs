//! An error with everything that caused it, on one line, for logs and for people.

use std::error::Error;
use std::fmt::Write as _;

/// `outer: middle: inner`. Other people's errors often end in the text of their cause, which is then not said again.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open it")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("while opening it: {0}")]
    struct Repeating(#[source] std::io::Error);

    #[test]
    fn what_an_error_repeats_of_its_cause_is_said_once() {
        let error = Repeating(std::io::Error::other("it is gone"));
        assert_eq!(error_chain(&error), "while opening it: it is gone");
    }

    #[test]
    fn every_cause_is_named_once() {
        let error = Outer(std::io::Error::other("it is gone"));
        assert_eq!(error_chain(&error), "cannot open it: it is gone");
    }
}
