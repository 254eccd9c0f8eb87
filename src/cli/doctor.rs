//! `switchyard doctor`: everything that a daemon on this host needs, each with its mend.

use serde_json::json;

use super::exit::Exit;
use super::output::{ADDED, CHANGED, REMOVED};
use super::{Context, Failure};
use crate::daemon::doctor::{self, Outcome};

pub const HELP: &str = "Ends with 0 where nothing failed (warnings may be there), else with 1; everything is looked at \
    either way, and nothing is changed. Run it as root, who may read Asterisk's own files.\n\nExample:\n  switchyard doctor \
    --json";

pub fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let loaded = match context.read() {
        Ok(loaded) => Ok(loaded),
        Err(Failure::Config(error)) => Err(error),
        Err(other) => return Err(other),
    };
    let findings = doctor::examine(loaded)?;
    let failed = findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::Bad)
        .count();
    let value = json!({"ok": failed == 0, "findings": findings});
    let told = context.output.result(&value, |text| {
        let mut subject = "";
        for finding in &findings {
            if finding.subject != subject {
                subject = &finding.subject;
                text.heading(subject)?;
            }
            let style = match finding.outcome {
                Outcome::Good => ADDED,
                Outcome::Doubtful => CHANGED,
                Outcome::Bad => REMOVED,
            };
            let line = format!(
                "  {:7}  {}: {}",
                finding.outcome.as_str(),
                finding.name,
                finding.detail
            );
            text.styled(&line, style)?;
            if let Some(mend) = &finding.mend {
                text.line(&format!("           {mend}"))?;
            }
        }
        Ok(())
    });
    let exit = if failed == 0 { Exit::Ok } else { Exit::Failure };
    Failure::verdict(
        told,
        exit,
        format!("{failed} of {} checks failed", findings.len()),
    )
}
