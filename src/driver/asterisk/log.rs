//! Asterisk's own log lines: read from a position on, told apart, and turned into findings.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::finding::{Finding, Severity};
use crate::driver::files::read_from;

/// Beyond this a window is cut; a broken file of 100,000 endpoints complains in every line.
const LONGEST_WINDOW: u64 = 256 * 1024;
/// More findings than this help nobody.
const MOST_FINDINGS: usize = 40;

/// A position in a log file.
#[derive(Clone, Debug)]
pub struct LogWindow {
    path: PathBuf,
    start: u64,
}

impl LogWindow {
    /// From the present end of the file on, which must be readable.
    pub fn open(path: &Path) -> io::Result<Self> {
        let start = std::fs::File::open(path)?.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            start,
        })
    }

    /// From the beginning of the file on.
    pub fn from_start(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            start: 0,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether more was logged than is read.
    pub fn overflows(&self) -> io::Result<bool> {
        Ok(std::fs::metadata(&self.path)?.len() >= self.start + LONGEST_WINDOW)
    }

    /// What was logged since; from the beginning if the file was rotated meanwhile.
    pub fn lines(&self) -> io::Result<Vec<LogLine>> {
        let length = std::fs::metadata(&self.path)?.len();
        let start = if length < self.start { 0 } else { self.start };
        let text = read_from(&self.path, start, LONGEST_WINDOW)?;
        Ok(text.lines().filter_map(LogLine::parse).collect())
    }
}

/// One warning or error of Asterisk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogLine {
    /// Whether it is an ERROR (else a WARNING).
    pub is_error: bool,
    /// The source file that complained, such as `config.c`.
    pub source: String,
    /// What it said.
    pub message: String,
}

impl LogLine {
    /// Reads `[2026-11-20 16:08:11.899] WARNING[12481][C-0001] config.c: parse error …`, in the verbose form with
    /// a function behind the file too. Lines of another form or level are no complaints.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line
            .strip_prefix('[')
            .map_or(Some(line), |dated| dated.split_once("] ").map(|(_, rest)| rest))?;
        let (level, rest) = rest.split_once('[')?;
        let is_error = match level {
            "ERROR" => true,
            "WARNING" => false,
            _ => return None,
        };
        let (_thread, rest) = rest.split_once("] ")?;
        let (source, message) = rest.split_once(": ")?;
        let source = source.split(':').next().unwrap_or(source).trim();
        Some(Self {
            is_error,
            source: source.to_owned(),
            message: message.trim().to_owned(),
        })
    }

    /// The line as it is quoted in records.
    pub fn quote(&self) -> String {
        format!(
            "{} {}: {}",
            if self.is_error { "ERROR" } else { "WARNING" },
            self.source,
            without_secrets(&self.message)
        )
    }

    /// Whether it complains about the reading of configuration, not about a call or a phone.
    fn is_about_configuration(&self) -> bool {
        const READERS: [&str; 7] = [
            "config.c",
            "config_options.c",
            "res_sorcery_config.c",
            "pbx_config.c",
            "app_voicemail.c",
            "format_cap.c",
            "sorcery.c",
        ];
        // `pbx.c` runs calls too, and complains about those.
        const REGISTERING: [&str; 3] = ["Unable to register", "already in use", "tries to include"];
        READERS.contains(&self.source.as_str())
            || self.source.starts_with("res_pjsip/config_")
            || self.source.starts_with("res_pjsip/pjsip_")
            || (self.source == "pbx.c" && REGISTERING.iter().any(|words| self.message.contains(words)))
    }
}

/// Hides what Asterisk repeats of a line that it does not like, where that may be a secret.
fn without_secrets(message: &str) -> String {
    let hide = |message: &str, before: &str, after: &str| -> Option<String> {
        let (head, rest) = message.split_once(before)?;
        let tail = rest.rsplit_once(after).map_or("", |(_, tail)| tail);
        Some(format!("{head}{before}(hidden){after}{tail}"))
    };
    // "Error parsing password_digest=MD5:… at line 3 of x", "Line 3 too long, skipping. It begins with: password=…"
    if message.starts_with("Error parsing pass") || message.starts_with("Error parsing md5") {
        hide(message, "=", " at line ")
    } else {
        hide(message, "begins with: ", "")
    }
    .unwrap_or_else(|| without_digests(message))
}

/// A template can put a digest anywhere; none of 32 hex digits or more is ever quoted.
pub(super) fn without_digests(text: &str) -> String {
    const SHORTEST: usize = 32;
    let mut shown = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        shown.push_str(if run.len() < SHORTEST { &run } else { "(hidden)" });
        run.clear();
        if c != '\0' {
            shown.push(c);
        }
    }
    shown
}

/// The complaints about configuration, each once, as findings of one severity.
pub fn findings(lines: Vec<LogLine>, code: &str, message: &str, severity: Severity) -> Vec<Finding> {
    let distinct: BTreeSet<LogLine> = lines
        .into_iter()
        .filter(LogLine::is_about_configuration)
        .collect();
    let total = distinct.len();
    let mut findings: Vec<Finding> = distinct
        .into_iter()
        .take(MOST_FINDINGS)
        .map(|line| Finding::new(severity, code, message).quoting(line.quote()))
        .collect();
    if total > MOST_FINDINGS {
        findings.push(Finding::new(
            severity,
            code,
            format!("{} more complaints of Asterisk", total - MOST_FINDINGS),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn warnings_and_errors_are_read_with_their_source() {
        let line = "[2026-11-20 16:08:11.899] WARNING[12481] config.c: parse error: no closing ']', line 82 of x.conf";
        let parsed = LogLine::parse(line).unwrap();
        assert_eq!((parsed.is_error, parsed.source.as_str()), (false, "config.c"));
        assert!(parsed.is_about_configuration());
        let call = LogLine::parse("[d] ERROR[1][C-00000001] app_dial.c: Unable: x").unwrap();
        assert_eq!(call.message, "Unable: x");
        assert!(!call.is_about_configuration());
        assert_eq!(LogLine::parse("[d] NOTICE[1] config.c: x"), None);
        assert_eq!(LogLine::parse("garbage"), None);
        assert_eq!(LogLine::parse("[garbage"), None);
    }

    #[rstest]
    #[case(
        "pbx.c",
        "Unable to register extension '1' priority 1 in 'a', already in use",
        true
    )]
    #[case("pbx.c", "Context 'a' tries to include nonexistent context 'b'", true)]
    #[case(
        "pbx.c",
        "Channel 'x' sent to invalid extension but no invalid handler",
        false
    )]
    #[case(
        "res_pjsip/config_auth.c",
        "1@a: password_digest algorithm 'MD5' length (2) must be 32",
        true
    )]
    #[case("res_pjsip_registrar.c", "AOR '' not found for endpoint '1'", false)]
    fn calls_and_phones_are_told_from_configuration(
        #[case] source: &str,
        #[case] message: &str,
        #[case] is_about_configuration: bool,
    ) {
        let line = LogLine::parse(&format!("[d] WARNING[1] {source}: {message}")).unwrap();
        assert_eq!(line.is_about_configuration(), is_about_configuration);
    }

    #[rstest]
    #[case("Error parsing password_digest=MD5:abc at line 12 of /x/pjsip.conf")]
    #[case("Error parsing password=abc at line 12 of /x/pjsip.conf")]
    #[case("Error parsing md5_cred=abc at line 12 of /x/pjsip.conf")]
    #[case("Line 12 too long, skipping. It begins with: password=abc")]
    fn a_secret_is_not_quoted(#[case] message: &str) {
        let quote = LogLine::parse(&format!("[d] ERROR[1] config.c: {message}"))
            .unwrap()
            .quote();
        assert!(
            !quote.contains("abc") && quote.contains("(hidden)") && quote.contains("12"),
            "{quote}"
        );
    }

    #[test]
    fn a_digest_is_never_quoted_wherever_it_stands() {
        let line =
            "[d] ERROR[1] config_options.c: Unknown type '4fa7e43894af5217b1aac329f3f53c0f' at line 12";
        let quote = LogLine::parse(line).unwrap().quote();
        assert_eq!(
            quote,
            "ERROR config_options.c: Unknown type '(hidden)' at line 12"
        );
    }

    #[test]
    fn a_repeated_complaint_is_told_once() {
        let line = LogLine::parse("[d] WARNING[1] config.c: No '=' in line 3").unwrap();
        let findings = findings(vec![line.clone(), line], "c", "m", Severity::Error);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].quote.as_deref(),
            Some("WARNING config.c: No '=' in line 3")
        );
    }

    #[test]
    fn a_window_holds_only_what_came_after_it_was_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "[d] ERROR[1] config.c: old\n").unwrap();
        let window = LogWindow::open(&path).unwrap();
        assert_eq!(window.lines().unwrap(), []);
        std::fs::write(&path, "[d] ERROR[1] config.c: old\n[d] ERROR[1] config.c: new\n").unwrap();
        assert_eq!(window.lines().unwrap()[0].message, "new");
    }
}
