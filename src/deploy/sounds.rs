//! Whether what recorded calls begin with can be played, before anything live is touched: a PBX skips what it does not find.

use std::collections::BTreeSet;

use super::aim::Aim;
use super::error::DeployError;
use super::expectation::WantedSound;
use super::run::Run;
use crate::domain::deployment::Scope;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::driver::{SoundFound, unknown_sounds};

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
        let asked: BTreeSet<_> = wanted.values().map(|wanted| wanted.sound.clone()).collect();
        let sounds = match self.driver.look_for_sounds(asked.clone()).await {
            Ok(sounds) => sounds,
            Err(error) => unknown_sounds(asked, &error.full()),
        };
        let is_new = self.brings_something_new();
        let mut unheard = BTreeSet::new();
        for (tenant, wanted) in wanted {
            let finding = match sounds.get(&wanted.sound) {
                Some(SoundFound::There) => continue,
                Some(SoundFound::Missing(place)) => missing(&wanted, place, is_new && !wanted.was_so),
                Some(SoundFound::Unknown(reason)) => not_checked(&wanted, reason),
                None => not_checked(&wanted, "the PBX says nothing of it"),
            };
            if finding.is_error() {
                unheard.insert(tenant);
            }
            let about = format!("sound {}", wanted.sound);
            findings.push(finding.of_tenant(tenant).about(about));
        }
        Ok(unheard)
    }

    /// What goes back to what was live, or follows a status, is wanted as it was: nothing keeps it back.
    const fn brings_something_new(&self) -> bool {
        match self.deployment.scope {
            Scope::Tenant { .. } | Scope::Platform => true,
            Scope::TenantRollback { .. } | Scope::TenantStatus { .. } | Scope::PlatformRollback { .. } => {
                false
            }
        }
    }
}

fn missing(wanted: &WantedSound, place: &str, keeps_back: bool) -> Finding {
    const CODE: &str = "notice_sound_missing";
    let WantedSound { sound, domain, .. } = wanted;
    let said = format!(
        "{domain} has its recorded calls begin with {sound} (`recording_notice_sound`), which is not in {place}"
    );
    let mend = format!("put the file there, such as {sound}.wav, or name another sound; then deploy again");
    if keeps_back {
        let message = format!("{said}, so nothing new of this tenant goes live: {mend}");
        Finding::error(CODE, message)
    } else {
        let message = format!("{said}, so no call that is to be announced is recorded: {mend}");
        Finding::warning(CODE, message)
    }
}

fn not_checked(wanted: &WantedSound, reason: &str) -> Finding {
    let WantedSound { sound, domain, .. } = wanted;
    let message = format!(
        "whether the PBX has the sound {sound} that {domain} has its recorded calls begin with (`recording_notice_sound`) is not \
         known ({reason}): call an extension that is recorded, and hear it; a call that cannot be announced is not recorded"
    );
    Finding::warning("notice_sound_not_checked", message)
}
