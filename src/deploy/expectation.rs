//! What to ask the running PBX for after a deploy, and after its rollback.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::error::DeployError;
use super::plan::{InstanceState, TenantVersion};
use super::subject::Which;
use crate::domain::artifact::ConfFile;
use crate::domain::ids::{ExtensionId, RevisionId, TenantId};
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;
use crate::driver::{AbsentExtension, Expected, PresentTenant};

/// What must be seen. Only what moved is noted: configurations and secrets are read when the PBX is asked, tenant by
/// tenant, so that a large box is never in memory as a whole.
#[derive(Clone, Default, Debug)]
pub(super) struct Expectation {
    /// The marker of each file; `None`: no marker may be there.
    pub markers: BTreeMap<ConfFile, Option<String>>,
    /// The tenants whose objects are asked for.
    pub tenants: BTreeMap<TenantId, TenantExpectation>,
}

/// What must be seen of one tenant.
#[derive(Clone, Copy, Debug)]
pub(super) struct TenantExpectation {
    /// What the PBX served before.
    pub before: Option<RevisionId>,
    /// What it must serve now.
    pub after: Option<TenantVersion>,
    /// Whether every object is asked for, or only those that differ.
    pub all: bool,
    /// Whether the digests that phones sign in with are those of the current secrets.
    pub secrets: bool,
}

impl Expectation {
    /// The markers of a state, and no object yet.
    pub fn markers_of(state: &InstanceState) -> Self {
        Self {
            markers: state.markers(),
            tenants: BTreeMap::new(),
        }
    }
}

impl TenantExpectation {
    /// Reads what it stands for.
    pub async fn read(self, engine: &Engine, tenant_id: TenantId) -> Result<Expected, DeployError> {
        let before = match self.before {
            Some(id) => Some(engine.config(tenant_id, id).await?),
            None => None,
        };
        let mut expected = Expected::default();
        match self.after {
            Some(version) if self.secrets => {
                let revision = Which::Revision(version.revision_id);
                let subject = engine.subject(tenant_id, revision).await?;
                // Newer secrets are a pending change.
                let same = subject.version.secrets_version == version.secrets_version;
                let secrets = same.then_some(&subject.secrets);
                let after = Some(&subject.config);
                expect_tenant(
                    &mut expected,
                    tenant_id,
                    before.as_ref(),
                    after,
                    self.all,
                    secrets,
                );
            }
            after => {
                let after = match after {
                    Some(version) => Some(engine.config(tenant_id, version.revision_id).await?),
                    None => None,
                };
                expect_tenant(
                    &mut expected,
                    tenant_id,
                    before.as_ref(),
                    after.as_ref(),
                    self.all,
                    None,
                );
            }
        }
        Ok(expected)
    }
}

/// Adds what must be seen of one tenant when `after` has taken the place of `before`.
///
/// Extensions that are the same in both are asked for only with `all`: when templates, secrets or the domain changed,
/// every object of the tenant was written anew. `secrets` are the current ones; without them the digests that phones
/// sign in with are not compared.
pub fn expect_tenant(
    expected: &mut Expected,
    tenant_id: TenantId,
    before: Option<&TenantConfig>,
    after: Option<&TenantConfig>,
    all: bool,
    secrets: Option<&BTreeMap<ExtensionId, ExtensionSecrets>>,
) {
    if let Some(after) = after {
        let same_domain = before.is_some_and(|before| before.domain == after.domain);
        let extensions: Vec<ExtensionConfig> = after
            .active()
            .filter(|extension| {
                all || !same_domain || !before.is_some_and(|b| b.extensions.contains(extension))
            })
            .cloned()
            .collect();
        let ha1 = extensions
            .iter()
            .filter_map(|extension| {
                let own = secrets?.get(&extension.id)?;
                Some((extension.id, own.sip.ha1(&extension.number, &after.domain)))
            })
            .collect();
        expected.present.push(PresentTenant {
            tenant_id,
            domain: after.domain.clone(),
            extensions,
            ha1,
            number_lengths: after.number_lengths(),
        });
    }
    let Some(before) = before else { return };
    for extension in before.active() {
        let stays = after.is_some_and(|after| {
            after.domain == before.domain && after.active().any(|other| other.number == extension.number)
        });
        if !stays {
            expected.absent.push(AbsentExtension {
                tenant_id,
                domain: before.domain.clone(),
                number: extension.number.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::extension::ExtensionStatus;
    use crate::render::asterisk::samples;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId::from_uuid(Uuid::nil());

    fn expect(
        before: Option<&TenantConfig>,
        after: Option<&TenantConfig>,
        all: bool,
    ) -> (Vec<String>, Vec<String>) {
        let mut expected = Expected::default();
        expect_tenant(&mut expected, TENANT, before, after, all, None);
        let present = expected
            .present
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
    fn a_new_domain_moves_every_object() {
        let before = samples().pop().unwrap().config;
        let mut after = before.clone();
        after.domain = "new.example.com".parse().unwrap();
        let (present, absent) = expect(Some(&before), Some(&after), false);
        assert_eq!((present.len(), absent.len()), (3, 3));
    }
}
