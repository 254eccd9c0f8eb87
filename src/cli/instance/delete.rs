//! `switchyard instance delete`.

use clap::Args;

use super::show::VersionedView;
use crate::app::precondition::IfMatch;
use crate::app::{instance_changes, operator};
use crate::cli::{Context, Failure, confirmation, lookup};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "Only one that serves no tenant is deleted. One whose host is gone for good is given up: `switchyard instance give-up`.\n\nExample:\n  switchyard instance delete pbx1";

/// Which instance.
#[derive(Args)]
pub struct Delete {
    /// Its name
    name: InstanceName,
    /// Do not ask for its name again
    #[arg(long)]
    yes: bool,
    /// Only where it is still of the version that `instance show` named
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
}

pub fn run(context: &mut Context<'_>, delete: &Delete) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let found = lookup::instance(parts, &delete.name).await?;
        let (instance, version) = instance_changes::show(&parts.app, &caller, found.id).await?;
        // What was changed while somebody read what goes is not what they have confirmed.
        let wanted = delete.if_match.clone().unwrap_or_else(|| version.clone());
        let if_match = IfMatch::OneOf(vec![wanted]);
        instance_changes::refuse_deletion(&parts.app, &caller, found.id, &if_match).await?;
        let name = instance.name.to_string();
        let typed = confirmation::given(context, delete.yes, &name, &what_goes(&instance))?;
        if typed != name {
            return Err(confirmation::missing(&name));
        }
        let places = instance_changes::places(&parts.app, &caller, found.id).await?;
        instance_changes::delete(&parts.app, &caller, found.id, &if_match).await?;
        let left = what_stays(&instance, &places);
        let view = VersionedView::from((instance, version));
        context.output.result(&view, |text| {
            text.line(&format!("{name} is gone"))?;
            left.map_or(Ok(()), |left| text.line(&left))
        })
    })
}

fn what_goes(instance: &PbxInstance) -> String {
    let name = &instance.name;
    let place = instance.settings.place();
    match &instance.settings {
        InstanceSettings::Asterisk(_) => format!("this deletes {name}, with its deployments"),
        InstanceSettings::FreeSwitch(_) => {
            format!("this deletes {name}, with its deployments and what they left in {place}")
        }
        InstanceSettings::FusionPbx(_) => {
            format!("this deletes {name}, with its deployments and the note of ours in {place}")
        }
    }
}

/// What is not taken away with it, and how it is.
fn what_stays(instance: &PbxInstance, places: &str) -> Option<String> {
    let name = &instance.name;
    match &instance.settings {
        InstanceSettings::Asterisk(_) => Some(format!(
            "what was deployed stays in {places}, and the lines that lead there in Asterisk's own files; `switchyard pbx remove {name}` \
             with --asterisk-dir takes those lines out, as it does without before an instance is deleted, and the directory can be \
             removed then"
        )),
        InstanceSettings::FreeSwitch(_) | InstanceSettings::FusionPbx(_) => None,
    }
}
