//! The SIP profiles: which there are, and their configuration read again.

use std::time::Duration;

use super::form;
use super::system::reloaded;
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

/// What the list of profiles is.
const LIST: &str = "a list of SIP profiles";

impl Client {
    /// The names of the SIP profiles that run. Phones may be signed in at each of them.
    pub async fn profiles(&self, limit: Duration) -> Result<Vec<Word>, Error> {
        let command = Command::words("sofia status", &[]);
        self.read(command, limit, profiles).await
    }

    /// Has one SIP profile read its gateways and settings again. FreeSWITCH reads its static XML again before.
    pub async fn rescan_profile(&self, profile: &Word, limit: Duration) -> Result<(), Error> {
        let command = Command::written(format!("api sofia profile {profile} rescan"));
        self.read(command, limit, rescanned).await
    }
}

/// The first line is about the XML, as `reloadxml` puts it, the second about the profile.
fn rescanned(text: &str) -> Result<(), AnswerError> {
    const DONE: &str = "+OK scan complete";
    let (first, second) = text.trim().split_once('\n').ok_or_else(|| form(DONE, text))?;
    let read = first.strip_prefix("Reload XML ").unwrap_or_default();
    reloaded(&format!("+OK {read}"))?;
    if second == DONE {
        Ok(())
    } else {
        Err(form(DONE, text))
    }
}

/// Reads the list: lines between two rules, their columns parted by tabs. Aliases and gateways stand among the profiles,
/// and a profile with TLS stands there twice.
fn profiles(text: &str) -> Result<Vec<Word>, AnswerError> {
    let wrong = || form(LIST, text);
    let is_rule = |line: &str| line.starts_with("====");
    let mut lines = text.lines().skip_while(|line| !is_rule(line)).skip(1);
    let mut found: Vec<Word> = Vec::new();
    loop {
        let line = lines.next().ok_or_else(wrong)?;
        if is_rule(line) {
            return Ok(found);
        }
        let mut columns = line.split('\t').map(str::trim);
        let (name, kind, _, state) = (columns.next(), columns.next(), columns.next(), columns.next());
        let (Some(name), Some(kind), Some(state)) = (name, kind, state) else {
            return Err(wrong());
        };
        if kind != "profile" || !state.starts_with("RUNNING") {
            continue;
        }
        let name = Word::new(name).map_err(|_| wrong())?;
        if !found.contains(&name) {
            found.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str =
        "=================================================================================================";

    fn list(lines: &[[&str; 4]]) -> String {
        let row =
            |[name, kind, data, state]: &[&str; 4]| format!("{name:>25}\t{kind}\t  {data:>40}\t{state}\n");
        let head = row(&["Name", "   Type", "Data", "State"]);
        let rows: String = lines.iter().map(row).collect();
        format!("{head}{RULE}\n{rows}{RULE}\n1 profile 1 alias\n")
    }

    #[test]
    fn profiles_are_told_from_aliases_and_gateways_and_named_once() {
        let url = "sip:mod_sofia@192.0.2.2:5061;transport=tls";
        let text = list(&[
            [
                "external",
                "profile",
                "sip:mod_sofia@192.0.2.2:5080",
                "RUNNING (0)",
            ],
            ["external::carrier", "gateway", "sip:us@carrier.example", "REGED"],
            ["demo.local", "  alias", "internal", "ALIASED"],
            [
                "internal",
                "profile",
                "sip:mod_sofia@192.0.2.2:5060",
                "RUNNING (3)",
            ],
            ["internal", "profile", url, "RUNNING (3) (TLS)"],
        ]);
        let found: Vec<String> = profiles(&text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["external", "internal"]);
        assert_eq!(profiles(&list(&[])), Ok(Vec::new()));
    }

    #[test]
    fn half_a_list_of_profiles_is_none() {
        let whole = list(&[["internal", "profile", "sip:x", "RUNNING (0)"]]);
        let (kept, _) = whole.rsplit_once(RULE).unwrap();
        for text in [
            "",
            "Invalid Syntax!\n",
            kept,
            &format!("{RULE}\nno columns\n{RULE}\n"),
        ] {
            assert!(
                matches!(profiles(text), Err(AnswerError::Form { expected: LIST, .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_scan_is_complete_only_where_the_xml_was_read_too() {
        assert_eq!(rescanned("Reload XML [Success]\n+OK scan complete\n"), Ok(()));
        for text in [
            "Reload XML [[error near line 1]: missing >]\n+OK scan complete\n",
            "Reload XML [Success]\n-ERR cannot find config for profile x\n",
            "Invalid Profile [x]",
        ] {
            assert!(matches!(rescanned(text), Err(AnswerError::Form { .. })), "{text}");
        }
    }
}
