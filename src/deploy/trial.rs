//! The trial of a generation before anything is touched: on a shadow of the PBX, or by its own database.

use super::engine::ShadowPolicy;
use super::run::Run;
use crate::domain::finding::{Finding, Severity};
use crate::driver::DriverError;

impl Run<'_> {
    /// `Ok` with what was done, `Err` with why it may not go on.
    pub(super) async fn rehearse(&self, number: i64, findings: &mut Vec<Finding>) -> Result<String, String> {
        let policy = self.engine.options.shadow;
        let on_a_shadow = self.driver.rehearses_on_a_shadow();
        if on_a_shadow && policy == ShadowPolicy::Never {
            let message = "no shadow read the generation: `deploy.shadow` is `never`";
            findings.push(Finding::new(Severity::Info, "shadow_did_not_run", message));
            return Ok("without a shadow".to_owned());
        }
        match self.driver.rehearse(number).await {
            Ok(rehearsal) => {
                let refused = rehearsal.findings.iter().any(Finding::is_error);
                findings.extend(rehearsal.findings);
                if refused {
                    Err(rehearsal.detail)
                } else {
                    Ok(rehearsal.detail)
                }
            }
            Err(error @ DriverError::Refused { .. }) if !on_a_shadow => {
                findings.push(self.untouched("rows_refused", &error.full()));
                Err(error.full())
            }
            Err(error) => {
                let (code, what) = if on_a_shadow {
                    ("shadow_did_not_run", "no shadow read the generation")
                } else {
                    ("rows_not_tried", "the database did not take the rows for a trial")
                };
                let must = policy == ShadowPolicy::Always;
                let severity = if must { Severity::Error } else { Severity::Warning };
                let message = format!("{what}: {}", error.full());
                findings.push(Finding::new(severity, code, message.clone()));
                if must { Err(message) } else { Ok(message) }
            }
        }
    }
}
