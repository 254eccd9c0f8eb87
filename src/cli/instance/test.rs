//! `switchyard instance test`.

use serde_json::json;

use crate::app::{instance_checks, operator};
use crate::cli::exit::Exit;
use crate::cli::output::{ADDED, REMOVED};
use crate::cli::{Context, Failure, lookup};
use crate::daemon::unit;
use crate::domain::name::InstanceName;

/// The checks without which the PBX is not asked anything.
const CONNECTION: [&str; 5] = ["ami", "ami_login", "answer", "database", "event_socket"];

pub fn run(context: &mut Context<'_>, name: &InstanceName) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let instance = lookup::instance(parts, name).await?;
        if instance.node != parts.node {
            let message = format!(
                "{name} is driven on the host {}, and it is tested from there",
                instance.node
            );
            return Err(Failure::ended(Exit::Conflict, message));
        }
        let mut checks = instance_checks::test(&parts.app, &operator::platform(None), instance.id).await?;
        checks.extend(unit::may_write_of(&instance.settings).await);
        let failed = checks.iter().filter(|check| !check.ok).count();
        let reached = checks
            .iter()
            .all(|check| check.ok || !CONNECTION.contains(&check.name));
        let value = json!({"instance": name, "ok": failed == 0, "checks": checks});
        let told = context.output.result(&value, |text| {
            for check in &checks {
                let (word, style) = if check.ok {
                    ("ok", ADDED)
                } else {
                    ("failed", REMOVED)
                };
                text.styled(&format!("{word:6}  {}: {}", check.name, check.detail), style)?;
                if let Some(mend) = &check.mend {
                    text.line(&format!("        {mend}"))?;
                }
            }
            Ok(())
        });
        let (exit, verdict) = match (failed, reached) {
            (0, _) => (Exit::Ok, String::new()),
            (_, false) => (
                Exit::Unreachable,
                format!("{name} was not reached, or does not let us in"),
            ),
            (_, true) => (
                Exit::Failure,
                format!("{failed} of {} checks failed", checks.len()),
            ),
        };
        Failure::verdict(told, exit, verdict)
    })
}
