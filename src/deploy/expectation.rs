//! What to ask the running PBX for after a deploy, and after its rollback.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::error::DeployError;
use super::plan::{InstanceState, TenantVersion};
use super::subject::Which;
use crate::domain::artifact::Artifact;
use crate::domain::ids::{ExtensionId, RevisionId, TenantId};
use crate::domain::recording_notice::SoundName;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Service;
use crate::driver::{AbsentExtension, ClearedContext, Expected, Parting, PresentTenant};

/// What must be seen. Only what moved is noted: configurations and secrets are read when the PBX is asked, tenant by
/// tenant, so that a large box is never in memory as a whole.
#[derive(Clone, Default, Debug)]
pub(super) struct Expectation {
    /// The marker of each file; `None`: no marker may be there.
    pub markers: BTreeMap<Artifact, Option<String>>,
    /// The tenants whose objects are asked for.
    pub tenants: BTreeMap<TenantId, TenantExpectation>,
}

/// A sound that recorded calls of a tenant are to begin with.
pub(super) struct WantedSound {
    pub sound: SoundName,
    pub domain: SipDomain,
    /// Whether its live revision names the same one.
    pub was_so: bool,
}

/// What must be seen of one tenant.
#[derive(Clone, Copy, Debug)]
pub(super) struct TenantExpectation {
    /// What the PBX served before.
    pub before: Option<TenantVersion>,
    /// What it may have read since, by a deploy whose outcome is not known.
    pub tried: Option<RevisionId>,
    /// What it must serve now.
    pub after: Option<TenantVersion>,
    /// Whether every object is asked for, or only those that differ.
    pub all: bool,
    /// Whether the digests that phones sign in with are those of the current secrets.
    pub secrets: bool,
    /// Whether it is served for the first time.
    pub is_new: bool,
}

impl Expectation {
    /// The markers of a state, and no object yet.
    pub fn markers_of(state: &InstanceState) -> Self {
        Self {
            markers: state.markers(),
            tenants: BTreeMap::new(),
        }
    }

    /// What recorded calls of those who are asked for begin with.
    pub async fn notices(&self, engine: &Engine) -> Result<BTreeMap<TenantId, WantedSound>, DeployError> {
        let mut sounds = BTreeMap::new();
        for (tenant_id, tenant) in &self.tenants {
            let Some(after) = served(engine, *tenant_id, tenant.after).await? else {
                continue;
            };
            if !after.records() {
                continue;
            }
            let Some((_, sound)) = after.notice.played() else {
                continue;
            };
            let before = match tenant.before {
                Some(version) => Some(engine.config(*tenant_id, version.revision_id).await?),
                None => None,
            };
            // Also while it is suspended, and has no call at all.
            let before = before.map(|before| before.under(Service::Open));
            let was_so = before.is_some_and(|before| before.records() && before.notice == after.notice);
            let wanted = WantedSound {
                sound: sound.clone(),
                domain: after.domain,
                was_so,
            };
            sounds.insert(*tenant_id, wanted);
        }
        Ok(sounds)
    }

    /// Who is served no more once it is so.
    pub async fn parting(&self, engine: &Engine) -> Result<Parting, DeployError> {
        let mut expected = Expected::default();
        for (tenant_id, tenant) in &self.tenants {
            if tenant.before.is_none() && tenant.tried.is_none() {
                continue;
            }
            let before = served(engine, *tenant_id, tenant.before).await?;
            let after = served(engine, *tenant_id, tenant.after).await?;
            let (before, after) = (before.as_ref(), after.as_ref());
            let gone = tenant.expect_gone(engine, *tenant_id, &mut expected, before, after);
            gone.await?;
        }
        let whole = expected.cleared.into_iter().filter(|cleared| cleared.whole);
        Ok(Parting {
            extensions: expected.absent,
            domains: whole.map(|cleared| cleared.domain).collect(),
        })
    }
}

impl TenantExpectation {
    /// Reads what it stands for.
    pub async fn read(self, engine: &Engine, tenant_id: TenantId) -> Result<Expected, DeployError> {
        let before = served(engine, tenant_id, self.before).await?;
        let (after, secrets) = match self.after {
            Some(version) if self.secrets => {
                let revision = Which::Revision(version.revision_id);
                let subject = engine.subject(tenant_id, revision).await?;
                // Newer secrets are a pending change.
                let same = subject.version.secrets_version == version.secrets_version;
                (
                    Some(subject.config.under(version.service)),
                    same.then_some(subject.secrets),
                )
            }
            after => (served(engine, tenant_id, after).await?, None),
        };
        let (before, after) = (before.as_ref(), after.as_ref());
        let mut expected = Expected::default();
        if let Some(after) = after {
            let mut present = present(tenant_id, before, after, self.all, secrets.as_ref());
            // What ran before is right on the way back, whatever its templates made of it.
            present.feature_codes = self.secrets;
            present.is_new = self.is_new;
            expected.present.push(present);
        }
        self.expect_gone(engine, tenant_id, &mut expected, before, after)
            .await?;
        Ok(expected)
    }

    /// Adds what must be gone. `before` and `after`: what it served, and is to serve.
    async fn expect_gone(
        self,
        engine: &Engine,
        tenant_id: TenantId,
        expected: &mut Expected,
        before: Option<&TenantConfig>,
        after: Option<&TenantConfig>,
    ) -> Result<(), DeployError> {
        if let Some(before) = before {
            expect_absent(expected, tenant_id, before, after);
        }
        if let Some(tried) = self
            .tried
            .filter(|tried| self.before.is_none_or(|before| before.revision_id != *tried))
        {
            match engine.config(tenant_id, tried).await {
                Ok(tried) => expect_absent(expected, tenant_id, &tried, after),
                // The tenant was deleted since.
                Err(DeployError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a PBX serves of a tenant in one version.
async fn served(
    engine: &Engine,
    tenant_id: TenantId,
    version: Option<TenantVersion>,
) -> Result<Option<TenantConfig>, DeployError> {
    let Some(version) = version else { return Ok(None) };
    let config = engine.config(tenant_id, version.revision_id).await?;
    Ok(Some(config.under(version.service)))
}

/// What must be seen of a tenant when `after` has taken the place of `before`.
///
/// Extensions that are the same in both are asked for only with `all`: when templates, secrets or the domain changed,
/// every object of the tenant was written anew. `secrets` are the current ones; without them the digests that phones
/// sign in with are not compared.
fn present(
    tenant_id: TenantId,
    before: Option<&TenantConfig>,
    after: &TenantConfig,
    all: bool,
    secrets: Option<&BTreeMap<ExtensionId, ExtensionSecrets>>,
) -> PresentTenant {
    // Both stand in every line.
    let same_tenant =
        before.is_some_and(|before| before.domain == after.domain && before.notice == after.notice);
    let extensions: Vec<ExtensionConfig> = after
        .active()
        .filter(|extension| all || !same_tenant || !before.is_some_and(|b| b.extensions.contains(extension)))
        .cloned()
        .collect();
    let sign_ins = extensions
        .iter()
        .filter_map(|extension| {
            let own = secrets?.get(&extension.id)?;
            Some((extension.id, own.sip.sign_in(&extension.number, &after.domain)))
        })
        .collect();
    PresentTenant {
        tenant_id,
        domain: after.domain.clone(),
        is_new: false,
        extensions,
        sign_ins,
        number_lengths: after.number_lengths(),
        notice: after.notice.clone(),
        feature_codes: true,
    }
}

/// Adds what of `before` must be gone when `after` has taken its place.
fn expect_absent(
    expected: &mut Expected,
    tenant_id: TenantId,
    before: &TenantConfig,
    after: Option<&TenantConfig>,
) {
    let anywhere = after;
    let after = after.filter(|after| after.domain == before.domain);
    for extension in before.active() {
        let is_active = |config: &TenantConfig| config.active().any(|other| other.number == extension.number);
        if !after.is_some_and(is_active) {
            expected.absent.push(AbsentExtension {
                tenant_id,
                id: extension.id,
                domain: before.domain.clone(),
                number: extension.number.clone(),
                is_removed: anywhere.is_some_and(|config| !is_active(config)),
            });
        }
    }
    let mut number_lengths = before.number_lengths();
    if let Some(after) = after {
        let stay = after.number_lengths();
        number_lengths.retain(|length| !stay.contains(length));
    }
    if after.is_none() || !number_lengths.is_empty() {
        expected.cleared.push(ClearedContext {
            tenant_id,
            domain: before.domain.clone(),
            number_lengths,
            whole: after.is_none(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::extension::ExtensionStatus;
    use crate::domain::recording_notice::RecordingNotice;
    use crate::render::samples;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId::from_uuid(Uuid::nil());

    fn whole(before: Option<&TenantConfig>, after: Option<&TenantConfig>) -> Expected {
        let mut expected = Expected::default();
        if let Some(before) = before {
            expect_absent(&mut expected, TENANT, before, after);
        }
        expected
    }

    fn expect(
        before: Option<&TenantConfig>,
        after: Option<&TenantConfig>,
        all: bool,
    ) -> (Vec<String>, Vec<String>) {
        let expected = whole(before, after);
        let present = after.map(|after| present(TENANT, before, after, all, None));
        let present = present
            .iter()
            .flat_map(|t| &t.extensions)
            .map(|e| e.number.to_string())
            .collect();
        let absent = expected
            .absent
            .iter()
            .map(|e| format!("{}@{}", e.number, e.domain))
            .collect();
        (present, absent)
    }

    #[test]
    fn only_changed_extensions_are_asked_for() {
        let before = samples().pop().unwrap().config;
        let mut after = before.clone();
        after.extensions[0].settings.ring_time = 60.try_into().unwrap();
        assert_eq!(
            expect(Some(&before), Some(&after), false),
            (vec!["1001".into()], vec![])
        );
        assert_eq!(
            expect(Some(&before), Some(&after), true).0,
            ["1001", "1002", "30"]
        );
    }

    #[test]
    fn removed_and_disabled_extensions_must_be_absent() {
        let before = samples().pop().unwrap().config;
        let mut after = before.clone();
        after.extensions.remove(1);
        after.extensions[0].settings.status = ExtensionStatus::Disabled;
        assert_eq!(
            expect(Some(&before), Some(&after), false).1,
            ["1001@acme.example.com", "1002@acme.example.com"]
        );
        assert_eq!(expect(Some(&before), None, false).1.len(), 3);
    }

    #[test]
    fn a_length_that_no_number_has_any_more_and_a_context_that_is_no_tenants_must_be_cleared() {
        let before = samples().pop().unwrap().config;
        let mut after = before.clone();
        assert_eq!(whole(Some(&before), Some(&after)).cleared, []);
        after
            .extensions
            .retain(|extension| extension.number.as_str() != "30");
        let cleared = |after: Option<&TenantConfig>| {
            let mut cleared = whole(Some(&before), after).cleared;
            let only = cleared.pop().unwrap();
            assert_eq!((cleared, &only.domain), (vec![], &before.domain));
            (only.number_lengths.into_iter().collect::<Vec<_>>(), only.whole)
        };
        assert_eq!(cleared(Some(&after)), (vec![2], false));
        assert_eq!(cleared(None), (vec![2, 4], true));
        after.domain = "new.example.com".parse().unwrap();
        assert_eq!(cleared(Some(&after)), (vec![2, 4], true));
    }

    /// It stands in each.
    #[test]
    fn a12_another_notice_has_every_line_asked_for() {
        let after = samples().pop().unwrap().config;
        let mut before = after.clone();
        before.notice = RecordingNotice::unsaid();
        let (present, absent) = expect(Some(&before), Some(&after), false);
        assert_eq!((present.len(), absent.len()), (3, 0));
        let (present, _) = expect(Some(&after), Some(&after), false);
        assert_eq!(present.len(), 0);
    }

    #[test]
    fn a_new_domain_moves_every_object() {
        let before = samples().pop().unwrap().config;
        let mut after = before.clone();
        after.domain = "new.example.com".parse().unwrap();
        let (present, absent) = expect(Some(&before), Some(&after), false);
        assert_eq!((present.len(), absent.len()), (3, 3));
    }
}
