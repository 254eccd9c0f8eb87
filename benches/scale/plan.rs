//! What a plan costs: of the platform and of a tenant, with nothing changed and with one extension changed.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{App, deployments, extensions, operator};
use switchyard::auth::caller::Caller;
use switchyard::domain::query::ExtensionQuery;

use super::Outcome;
use super::box_of_tenants::{self, Shadow, platform};
use super::times::Times;

const ROUNDS: usize = 21;

/// `GET /config/plan` of a box that is live.
pub async fn measure(directory: &Path) -> Outcome<()> {
    let opened = box_of_tenants::open(directory, Shadow::Never).await?;
    let (app, id) = (&opened.parts.app, opened.instance().await?);
    let tenant = opened.some_tenant().await?;
    let caller = operator::in_tenant(&tenant, None);
    for (what, expected) in [("nothing changed", 0), ("one extension changed", 1)] {
        let mut times = [Times::default(), Times::default()];
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let seen = deployments::plan_instance(app, &platform(), id).await?;
            times[0].push(begun.elapsed());
            let begun = Instant::now();
            deployments::plan(app, &caller).await?;
            times[1].push(begun.elapsed());
            if seen.changes.len() != expected {
                return Err(format!("{} changes instead of {expected}", seen.changes.len()).into());
            }
        }
        let [platform, tenant] = times;
        writeln!(stdout(), "plan, {what}: platform {platform}, tenant {tenant}")?;
        change_one(app, &caller, 31).await?;
    }
    Ok(())
}

/// Gives one extension another ring time.
pub async fn change_one(app: &App, caller: &Caller, seconds: usize) -> Outcome<()> {
    let page = extensions::list(app, caller, &ExtensionQuery::default()).await?;
    let one = page.items.first().ok_or("the tenant has no extension")?.id;
    let patch = json!({"ring_time": seconds});
    extensions::patch(app, caller, one, patch, &IfMatch::Any).await?;
    Ok(())
}
