//! Writes results: aligned text for people, one JSON value for programs.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;

const HEADING: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Where results and errors go, and in which form.
pub struct Output<'a> {
    pub json: bool,
    pub colour: bool,
    pub error_colour: bool,
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
        if self.json {
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

    /// Says what should be mended; to standard error in either form, so that a result stays one value.
    pub fn warn(&mut self, text: &str) -> io::Result<()> {
        let word = styled("warning:", WARNING, self.error_colour);
        writeln!(self.err, "{word} {text}")
    }

    /// Says why there is no result.
    pub fn fail(&mut self, failure: &Failure) -> io::Result<()> {
        let exit = failure.exit();
        if self.json {
            let error = json!({"error": {
                "exit": exit.code(), "code": exit.name(), "message": failure.message(),
            }});
            return writeln!(self.err, "{error}");
        }
        let word = styled("error:", ERROR, self.error_colour);
        for line in failure.message().lines() {
            writeln!(self.err, "{word} {line}")?;
        }
        Ok(())
    }
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
    pub fn table<const N: usize>(&mut self, headings: [&str; N], rows: &[[&str; N]]) -> io::Result<()> {
        let width = |text: &str| text.chars().count();
        let mut widths = headings.map(width);
        for row in rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(cell).max(*widest);
            }
        }
        let aligned = |cells: &[&str; N]| {
            let cells = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.line(&styled(&aligned(&headings), HEADING, self.colour))?;
        rows.iter().try_for_each(|row| self.line(&aligned(row)))
    }
}

fn styled(text: &str, style: Style, colour: bool) -> String {
    if colour {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}
