//! The hands: who presses which button, again and again.

use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected, Superseded, Unchanged};

use super::office::{By, GLOBEX, Office, PLATFORM, rounds};
use super::support::host::TestTenant;

/// What somebody may go back to.
pub struct Past {
    /// Of one tenant.
    deployment: String,
    /// Of the whole instance.
    generation: String,
}

impl Past {
    /// All that there is goes live, and then one tenant once more.
    pub async fn of(office: &Office) -> Self {
        let whole = office.press(By::Anybody, &PLATFORM).await.expect(&[Live]);
        let globex = &office.host.tenants[1];
        office.host.patch(globex, json!({"ring_time": 44})).await;
        let words = ["apply", "--tenant", GLOBEX];
        let tenant = office.press(By::Anybody, &words).await.expect(&[Live]);
        Self {
            deployment: tenant.id().to_owned(),
            generation: whole.record["generation"].to_string(),
        }
    }
}

/// Edits a tenant and presses its button.
pub async fn admin(office: &Office, tenant: &TestTenant) {
    for round in 0..rounds() {
        let patch = json!({"name": format!("Ann {round}"), "ring_time": 20 + round});
        office.host.patch(tenant, patch).await;
        let words = ["apply", "--tenant", &tenant.domain];
        let pressed = office.press(By::turn(round), &words).await;
        pressed.expect(&[Live, Unchanged, Superseded]);
    }
}

/// Has a tenant and the whole instance go back.
pub async fn regretful(office: &Office, past: &Past) {
    for round in 0..rounds() {
        let tenant = ["rollback", "--tenant", GLOBEX, "--to", &past.deployment];
        let whole = ["rollback", "--instance", "main", "--to", &past.generation];
        for (words, by) in [(tenant, By::turn(round)), (whole, By::turn(round + 1))] {
            let pressed = office.press(by, &words).await;
            pressed.expect(&[Live, Unchanged, Superseded]);
        }
    }
}

/// Presses the platform's button, where one tenant is always left out.
pub async fn operator(office: &Office) {
    for round in 0..rounds() {
        let pressed = office.press(By::turn(round), &PLATFORM).await;
        let pressed = pressed.expect(&[Partial, Superseded]);
        let findings = pressed.record["findings"].as_array().unwrap();
        let mut errors = findings.iter().filter(|finding| finding["severity"] == "error");
        assert!(
            errors.all(|finding| finding["code"] == "forward_to_itself"),
            "{findings:#?}"
        );
    }
}

/// Presses the button of a tenant that does not validate.
pub async fn unlucky(office: &Office, tenant: &TestTenant) {
    for round in 0..rounds() {
        let words = ["apply", "--tenant", &tenant.domain];
        let pressed = office.press(By::turn(round), &words).await;
        pressed.expect(&[Rejected, Superseded]);
    }
}
