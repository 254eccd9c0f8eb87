//! Whether what recorded calls begin with can be played, before anything live is touched: a PBX skips what it does not find.

use std::collections::BTreeSet;

use super::aim::Aim;
use super::error::DeployError;
use super::run::Run;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::recording_notice::SoundName;
use crate::driver::Sounds;

impl Run<'_> {
    /// The tenants whose calls would be recorded no more, for want of their sound; noted with what is not known.
    pub(super) async fn unheard(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<BTreeSet<TenantId>, DeployError> {
        let wanted = aim.expected.notices(self.engine).await?;
        if wanted.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked = wanted.values().map(|(sound, _)| sound.clone()).collect();
        let sounds = match self.driver.look_for_sounds(asked).await {
            Ok(sounds) => sounds,
            Err(error) => Sounds::Unknown(error.full()),
        };
        let mut unheard = BTreeSet::new();
        for (tenant, (sound, was_so)) in wanted {
            let finding = match &sounds {
                Sounds::Missing(missing) if !missing.contains(&sound) => continue,
                Sounds::Missing(_) => missing(&sound, was_so),
                Sounds::Unknown(reason) => not_checked(&sound, reason),
            };
            if finding.is_error() {
                unheard.insert(tenant);
            }
            findings.push(finding.of_tenant(tenant));
        }
        Ok(unheard)
    }
}

/// What is live like that is no reason to keep anything else of the tenant from going live.
fn missing(sound: &SoundName, was_so: bool) -> Finding {
    const CODE: &str = "notice_sound_missing";
    let message = format!(
        "`recording_notice_sound` {sound} is no sound that the PBX has, so no call is recorded that is to be announced: put the \
         file into its directory of sounds, or name another sound"
    );
    if was_so {
        Finding::warning(CODE, message)
    } else {
        Finding::error(CODE, message)
    }
}

fn not_checked(sound: &SoundName, reason: &str) -> Finding {
    let message = format!(
        "whether the PBX has the sound {sound} that `recording_notice_sound` names is not known ({reason}): call an extension that \
         is recorded, and hear it; a call that cannot be announced is not recorded"
    );
    Finding::warning("notice_sound_not_checked", message)
}
