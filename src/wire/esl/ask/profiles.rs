//! The SIP profiles: which there are.

use std::time::Duration;

use super::form;
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
}
