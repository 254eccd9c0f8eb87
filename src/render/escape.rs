//! Escaping by output language: what a language cannot hold makes the render fail instead of being written.

use std::cell::RefCell;
use std::io::{self, Write};

thread_local! {
    /// The value that the escape function refused last: Tera keeps only the kind of its error.
    static REFUSED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Writes a value into an Asterisk `.conf` file.
///
/// `;` begins a comment unless a backslash stands before it, so it gets one. A line break would begin a new
/// line of configuration, a NUL ends the line for Asterisk: neither can be held, so both fail. Source:
/// `config_text_file_load` in Asterisk's `main/config.c`.
pub fn conf(value: &str, out: &mut dyn Write) -> io::Result<()> {
    one_line(value)?;
    let mut rest = value;
    while let Some((before, after)) = rest.split_once(';') {
        out.write_all(before.as_bytes())?;
        out.write_all(b"\\;")?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// Writes a value into a text of lines: it stays within its own, where the first is the subject of a mail.
pub fn text(value: &str, out: &mut dyn Write) -> io::Result<()> {
    one_line(value)?;
    out.write_all(value.as_bytes())
}

/// Writes a value into HTML, where none of it is markup and none of it ends an attribute.
pub fn html(value: &str, out: &mut dyn Write) -> io::Result<()> {
    one_line(value)?;
    tera::escape_html(value, out)
}

/// What FreeSWITCH looks for in a line before it parses any XML: one that holds it in a value is dropped whole.
const INSTRUCTION: &str = "x-pre-process";

/// Writes a value into FreeSWITCH's XML, where none of it is markup, names a variable or is an instruction: these are looked
/// for before XML is parsed.
pub fn xml(value: &str, out: &mut dyn Write) -> io::Result<()> {
    one_line(value)?;
    let instructs = value.to_ascii_lowercase().contains(INSTRUCTION);
    let is_looked_for = |c: char| c == '$' || (instructs && c == '-');
    let mut rest = value;
    while let Some(at) = rest.find(is_looked_for) {
        let (before, after) = rest.split_at(at);
        tera::escape_html(before, out)?;
        let mut after = after.chars();
        let code = after.next().map_or(0, u32::from);
        write!(out, "&#{code};")?;
        rest = after.as_str();
    }
    tera::escape_html(rest, out)
}

fn one_line(value: &str) -> io::Result<()> {
    if !value.contains(['\r', '\n', '\0']) {
        return Ok(());
    }
    REFUSED.with(|refused| *refused.borrow_mut() = Some(value.escape_debug().take(80).collect()));
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "a line break or NUL in a value",
    ))
}

/// What was refused since the last call, shortened and printable.
#[must_use]
pub fn take_refused() -> Option<String> {
    REFUSED.with(|refused| refused.borrow_mut().take())
}

/// The inside of a quoted caller name: backslash and quote get a backslash.
///
/// Asterisk undoes it when it splits name and number (`ast_callerid_parse`).
#[must_use]
pub fn quoted(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '"') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(value: &str) -> io::Result<String> {
        let mut out = Vec::new();
        conf(value, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_semicolon_gets_a_backslash() {
        assert_eq!(escaped("a;b\\;c").unwrap(), "a\\;b\\\\;c");
    }

    #[test]
    fn what_a_line_cannot_hold_fails_and_is_kept_for_the_message() {
        for hostile in ["a\nb", "a\rb", "a\0b"] {
            for escape in [conf, text, html] {
                assert!(escape(hostile, &mut Vec::new()).is_err());
                assert!(take_refused().is_some());
            }
        }
        assert_eq!(take_refused(), None);
    }

    #[test]
    fn in_xml_nothing_is_left_that_freeswitch_looks_for_before_it_parses() {
        let escaped = |value: &str| {
            let mut out = Vec::new();
            xml(value, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(escaped("$${domain} & <x>"), "&#36;&#36;{domain} &amp; &lt;x&gt;");
        assert_eq!(escaped("a-b"), "a-b");
        assert_eq!(escaped("X-Pre-Process c-d"), "X&#45;Pre&#45;Process c&#45;d");
    }

    #[test]
    fn markup_is_text_in_html_and_stays_itself_in_text() {
        let hostile = "<script>'\"&";
        let (mut in_html, mut in_text) = (Vec::new(), Vec::new());
        html(hostile, &mut in_html).unwrap();
        text(hostile, &mut in_text).unwrap();
        assert_eq!(in_html, b"&lt;script&gt;&#39;&quot;&amp;");
        assert_eq!(in_text, hostile.as_bytes());
    }

    proptest! {
        #[test]
        fn no_escaped_value_ends_its_line_or_begins_a_comment(value in any::<String>()) {
            if let Ok(text) = escaped(&value) {
                prop_assert!(!text.contains(['\n', '\r', '\0']));
                for (at, _) in text.match_indices(';') {
                    prop_assert!(text.as_bytes()[at - 1] == b'\\');
                }
            }
        }
    }
}
