//! Logs: one line per event on standard error, for people or for programs.

mod one_line;

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use self::one_line::OneLine;

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object per line, with the fields of the spans around it.
    Json,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("the log filter cannot be read")]
    Filter(#[source] ParseError),
    /// Logs go elsewhere already.
    #[error("logging was started twice")]
    Started(#[source] TryInitError),
}

/// Starts logging for the whole process.
///
/// `filter` is a level with exceptions, such as `info,sqlx=warn`.
pub fn start(filter: &str, format: Format) -> Result<(), TelemetryError> {
    let colour = format == Format::Text && io::stderr().is_terminal();
    subscriber(filter, format, colour, io::stderr)
        .map_err(TelemetryError::Filter)?
        .try_init()
        .map_err(TelemetryError::Started)
}

fn subscriber<W>(
    filter: &str,
    format: Format,
    colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(filter)?)
        .with_writer(OneLine {
            writer,
            is_coloured: colour,
        });
    Ok(match format {
        Format::Text => Box::new(lines.with_ansi(colour).finish()),
        Format::Json => Box::new(lines.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: Format) -> String {
        logged_by(filter, format, || {
            let _span = tracing::info_span!("request", id = "r1").entered();
            tracing::info!(tenant = "acme", "taken");
            tracing::debug!("unseen");
        })
    }

    fn logged_by(filter: &str, format: Format, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(filter, format, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_hostile_name_makes_no_line_of_its_own_and_colours_nothing() {
        let name = "Ann\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m\u{7f}\u{8}\u{85}\u{9b}31m";
        for format in [Format::Text, Format::Json] {
            let text = logged_by("info", format, || {
                let _span = tracing::info_span!("request", name, shown = %name).entered();
                let error = io::Error::other(name);
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::info!(name, shown = %name, error, "{name} is taken");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            let shown = text.trim_end_matches('\n');
            assert!(
                !shown.contains(char::is_control) && shown.contains("forged"),
                "{text:?}"
            );
            if let Format::Json = format {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(line["name"], name);
            }
        }
    }

    #[test]
    fn text_is_one_line_per_event_above_the_level() {
        let text = logged("info", Format::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("request{id=\"r1\"}") && text.contains("taken tenant=\"acme\""),
            "{text}"
        );
        assert_eq!(logged("off", Format::Text), "");
        assert_eq!(logged("info,switchyard=debug", Format::Text).lines().count(), 2);
    }

    #[test]
    fn json_holds_the_event_and_its_span() {
        let line: serde_json::Value = serde_json::from_str(&logged("info", Format::Json)).unwrap();
        assert_eq!(line["message"], "taken");
        assert_eq!(line["tenant"], "acme");
        assert_eq!(line["span"]["id"], "r1");
    }
}
