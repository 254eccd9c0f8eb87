//! The trial of a generation before anything is touched: on a shadow of the PBX, or by its own database.

use std::collections::BTreeSet;

use super::aim::Aim;
use super::engine::ShadowPolicy;
use super::run::Run;
use crate::domain::finding::{Finding, Severity};
use crate::domain::ids::TenantId;
use crate::driver::DriverError;

/// What came of a trial.
pub(super) enum Trial {
    /// Nothing is against it; with what was done.
    Held(String),
    /// What others have is in the way of these tenants, and of nothing else.
    InTheWay(BTreeSet<TenantId>),
    /// Why it may not go on.
    Refused(String),
}

impl Run<'_> {
    pub(super) async fn rehearse(&self, number: i64, aim: &mut Aim, findings: &mut Vec<Finding>) -> Trial {
        let policy = self.engine.options.shadow;
        let on_a_shadow = self.driver.rehearses_on_a_shadow();
        if on_a_shadow && policy == ShadowPolicy::Never {
            let message = "no shadow read the generation: `deploy.shadow` is `never`";
            findings.push(Finding::new(Severity::Info, "shadow_did_not_run", message));
            return Trial::Held("without a shadow".to_owned());
        }
        match self.driver.rehearse(number).await {
            Ok(rehearsal) => {
                let errors = rehearsal.findings.iter().filter(|finding| finding.is_error());
                let whose: Vec<Option<TenantId>> = errors.map(|finding| finding.tenant_id).collect();
                let found = rehearsal.findings.iter();
                let told_of: BTreeSet<TenantId> = found.filter_map(|finding| finding.tenant_id).collect();
                findings.extend(
                    rehearsal
                        .findings
                        .into_iter()
                        .filter(|finding| self.concerns(finding)),
                );
                if whose.is_empty() {
                    aim.pass_over(&told_of);
                    return Trial::Held(rehearsal.detail);
                }
                let tenants: Option<BTreeSet<TenantId>> = whose.into_iter().collect();
                match tenants.filter(|tenants| !on_a_shadow && tenants.is_disjoint(&aim.barred)) {
                    Some(tenants) => Trial::InTheWay(tenants),
                    None => Trial::Refused(rehearsal.detail),
                }
            }
            Err(error @ DriverError::Refused { .. }) if !on_a_shadow => {
                findings.push(self.untouched("rows_refused", &error.full()));
                Trial::Refused(error.full())
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
                if must {
                    Trial::Refused(message)
                } else {
                    Trial::Held(message)
                }
            }
        }
    }

    /// Whether a finding is for this record: what others have beside another tenant's is not for one tenant's.
    fn concerns(&self, finding: &Finding) -> bool {
        let own = self.deployment.scope.tenant_id();
        let concerns = own.is_none() || finding.tenant_id.is_none() || finding.tenant_id == own;
        if !concerns {
            tracing::warn!(finding = ?finding, "a finding about another tenant is not in this record");
        }
        concerns
    }
}
