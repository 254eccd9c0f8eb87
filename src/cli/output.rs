//! Writes results: aligned text for people, one JSON value for programs.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;

/// What is new.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// What is other than before.
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
/// What is gone.
pub const REMOVED: Style = AnsiColor::Red.on_default();
const HEADING: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// In which form results and errors are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Where results and errors go, and in which form.
pub struct Output<'a> {
    pub form: Form,
    pub colour: bool,
    pub error_colour: bool,
    /// Whether standard error may be drawn on while a command works.
    pub progress: bool,
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
}

impl Output<'_> {
    /// Writes a result: the value for programs, or what `text` makes of it for people.
    pub fn result<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(&mut Text<'_>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.form == Form::Json {
            serde_json::to_writer(&mut *self.out, value)?;
            writeln!(self.out)?;
        } else {
            let mut people = Text {
                colour: self.colour,
                out: self.out,
            };
            text(&mut people)?;
        }
        Ok(())
    }

    /// Says how far a command is, to people only.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        if self.form == Form::Json {
            return Ok(());
        }
        writeln!(self.out, "{line}")
    }

    /// Says what should be mended; to standard error in either form, so that a result stays one value.
    pub fn warn(&mut self, text: &str) -> io::Result<()> {
        let word = styled("warning:", WARNING, self.error_colour);
        writeln!(self.err, "{word} {text}")
    }

    /// Says why there is no result.
    pub fn fail(&mut self, failure: &Failure) -> io::Result<()> {
        let exit = failure.exit();
        if self.form == Form::Json {
            return writeln!(
                self.err,
                "{}",
                error(exit, &failure.message(), failure.wrong_arguments())
            );
        }
        let word = styled("error:", ERROR, self.error_colour);
        for line in failure.message().lines() {
            writeln!(self.err, "{word} {line}")?;
        }
        Ok(())
    }
}

/// An error for programs: exit code, its name, the message, and which arguments are wrong, each with why.
pub fn error(exit: Exit, message: &str, arguments: &[(String, String)]) -> Value {
    let reasons: Vec<Value> = arguments
        .iter()
        .map(|(argument, reason)| json!({"argument": argument, "reason": reason}))
        .collect();
    if reasons.is_empty() {
        return json!({"error": {"exit": exit.code(), "code": exit.name(), "message": message}});
    }
    json!({"error": {
        "exit": exit.code(), "code": exit.name(), "message": message, "arguments": reasons,
    }})
}

/// Writes for people.
pub struct Text<'a> {
    colour: bool,
    out: &'a mut dyn Write,
}

impl Text<'_> {
    /// A line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Rows under headings, each column as wide as its widest cell.
    pub fn table<const N: usize, S: AsRef<str>>(
        &mut self,
        headings: [&str; N],
        rows: &[[S; N]],
    ) -> io::Result<()> {
        let width = |text: &str| text.chars().count();
        let mut widths = headings.map(width);
        for row in rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(cell.as_ref()).max(*widest);
            }
        }
        let heading = aligned(&headings, widths);
        self.styled(&heading, HEADING)?;
        rows.iter().try_for_each(|row| self.line(&aligned(row, widths)))
    }

    /// Names with their values, one below the other.
    pub fn fields<S: AsRef<str>>(&mut self, fields: &[(&str, S)]) -> io::Result<()> {
        let widest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            self.line(&format!("{name:widest$}  {}", value.as_ref()))?;
        }
        Ok(())
    }

    /// A line above others.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        self.styled(text, HEADING)
    }

    /// A line in a style, where there are colours.
    pub fn styled(&mut self, text: &str, style: Style) -> io::Result<()> {
        let text = styled(text, style, self.colour);
        self.line(&text)
    }
}

fn aligned<const N: usize, S: AsRef<str>>(cells: &[S; N], widths: [usize; N]) -> String {
    let cells = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{:width$}", cell.as_ref()));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn styled(text: &str, style: Style, colour: bool) -> String {
    if colour {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}
