//! `switchyard instance give-up`.

use clap::Args;

use crate::app::error::AppError;
use crate::app::{instance_loss, operator};
use crate::cli::{Context, Failure, confirmation, lookup};
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "Of a host that will never answer again. Tenants that are to be served are in the way; those that are \
    being deleted are gone with it, and so are the recordings that tenants which were moved away have there.\n\nExample:\n  switchyard instance give-up pbx1";

/// Which instance.
#[derive(Args)]
pub struct GiveUp {
    /// Its name
    name: InstanceName,
    /// Do not ask for its name again
    #[arg(long)]
    yes: bool,
}

pub fn run(context: &mut Context<'_>, given: &GiveUp) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let instance = lookup::instance(parts, &given.name).await?;
        let name = instance.name.as_str();
        let goes = format!(
            "this deletes {name} without asking its PBX on the host {}, every tenant whose deletion waits for it, and what is known \
             of recordings there",
            instance.node
        );
        let confirm = confirmation::given(context, given.yes, name, &goes)?;
        let caller = operator::platform(None);
        let lost = match instance_loss::give_up(&parts.app, &caller, instance.id, &confirm).await {
            Err(AppError::Conflict { code: "confirmation_mismatch", .. }) => {
                return Err(confirmation::missing(name));
            }
            lost => lost?,
        };
        context.output.result(&lost, |text| {
            text.line(&format!("{} is given up", lost.name))?;
            for tenant in &lost.deleted_tenants {
                text.line(&format!("{} is gone", tenant.name))?;
            }
            let mut not_proven = lost.not_proven.iter();
            not_proven.try_for_each(|told| text.line(&format!("not proven: {told}")))
        })
    })
}
