//! The plan: what differs between what is served and what should be, as a pure function; applying makes no choices.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::artifact::Artifact;
use crate::domain::change::{self, Change, ChangeKind, FieldChange};
use crate::domain::digest::Digest;
use crate::domain::ids::{RevisionId, TenantId};
use crate::domain::instance::PbxKind;
use crate::domain::revision::TenantConfig;
use crate::domain::tenant::Service;
use crate::render::pbx::marker;

/// What makes the texts of one tenant: two equal ones render the same bytes under the same templates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantVersion {
    /// Its configuration.
    pub revision_id: RevisionId,
    /// Its secrets, which are always the current ones.
    pub secrets_version: i64,
    /// What of it is served; always the current one too.
    pub service: Service,
}

/// One tenant in one state of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantState {
    /// What makes its texts.
    pub version: TenantVersion,
    /// Their digests.
    pub fragments: BTreeMap<Artifact, Digest>,
}

/// All that an instance serves, or should serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceState {
    /// What kind of PBX it is.
    pub kind: PbxKind,
    /// Digest of the common part of each file, rendered without a marker.
    pub common: BTreeMap<Artifact, Digest>,
    /// By tenant, which is also the order in the files: tenants keep their place, new ones come last.
    pub tenants: BTreeMap<TenantId, TenantState>,
}

impl InstanceState {
    /// Nothing is served.
    #[must_use]
    pub const fn nothing(kind: PbxKind) -> Self {
        Self {
            kind,
            common: BTreeMap::new(),
            tenants: BTreeMap::new(),
        }
    }

    /// The marker of a file: the digest of all that goes into it.
    #[must_use]
    pub fn marker(&self, file: Artifact) -> Option<String> {
        let common = self.common.get(&file)?;
        let fragments = self
            .tenants
            .values()
            .filter_map(|tenant| tenant.fragments.get(&file).copied());
        Some(marker(*common, fragments))
    }

    /// The markers of all files; `None` for one that is not served.
    #[must_use]
    pub fn markers(&self) -> BTreeMap<Artifact, Option<String>> {
        Artifact::of(self.kind)
            .iter()
            .map(|file| (*file, self.marker(*file)))
            .collect()
    }
}

/// The files whose bytes differ between two states: the smallest set of modules to reload.
#[must_use]
pub fn changed_files(before: &InstanceState, after: &InstanceState) -> Vec<Artifact> {
    Artifact::of(after.kind)
        .iter()
        .copied()
        .filter(|file| before.marker(*file) != after.marker(*file))
        .collect()
}

/// The tenants whose texts differ between two states.
#[must_use]
pub fn moved_tenants(before: &InstanceState, after: &InstanceState) -> BTreeSet<TenantId> {
    let all: BTreeSet<&TenantId> = before.tenants.keys().chain(after.tenants.keys()).collect();
    all.into_iter()
        .filter(|id| {
            let fragments =
                |state: &InstanceState| state.tenants.get(id).map(|tenant| tenant.fragments.clone());
            fragments(before) != fragments(after)
        })
        .copied()
        .collect()
}

/// One tenant's part of the semantic diff.
#[must_use]
pub fn tenant_changes(
    tenant_id: TenantId,
    before: Option<(&TenantConfig, TenantVersion)>,
    after: Option<(&TenantConfig, TenantVersion)>,
) -> Vec<Change> {
    let mut changes = change::between(
        tenant_id,
        before.map(|(config, _)| config),
        after.map(|(config, _)| config),
    );
    if let (Some((_, old)), Some((config, new))) = (before, after) {
        let mut fields = Vec::new();
        if old.secrets_version != new.secrets_version {
            fields.push(FieldChange {
                field: "secrets_version".to_owned(),
                before: old.secrets_version.into(),
                after: new.secrets_version.into(),
            });
        }
        if old.service != new.service {
            fields.push(FieldChange {
                field: "service".to_owned(),
                before: old.service.as_str().into(),
                after: new.service.as_str().into(),
            });
        }
        if !fields.is_empty() {
            let object = format!("secrets and service of {}", config.domain);
            changes.push(Change {
                kind: ChangeKind::Changed,
                tenant_id: Some(tenant_id),
                object,
                fields,
            });
        }
    }
    changes
}

/// The part of the semantic diff that is no tenant's.
#[must_use]
pub fn instance_changes(before: Option<(Digest, i64)>, after: (Digest, i64)) -> Vec<Change> {
    let Some(before) = before else { return Vec::new() };
    let mut changes = Vec::new();
    let mut compare = |object: &str, before: serde_json::Value, after: serde_json::Value| {
        if before != after {
            let fields = vec![FieldChange {
                field: "version".to_owned(),
                before,
                after,
            }];
            changes.push(Change {
                kind: ChangeKind::Changed,
                tenant_id: None,
                object: object.to_owned(),
                fields,
            });
        }
    };
    compare("templates", before.0.short().into(), after.0.short().into());
    compare("settings", before.1.into(), after.1.into());
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const KIND: PbxKind = PbxKind::Asterisk;

    fn state(tenants: &[(u128, &str)]) -> InstanceState {
        let fragments = |text: &str| {
            Artifact::of(KIND)
                .iter()
                .map(|file| (*file, Digest::of(text)))
                .collect()
        };
        InstanceState {
            kind: KIND,
            common: Artifact::of(KIND)
                .iter()
                .map(|file| (*file, Digest::of(file.as_str())))
                .collect(),
            tenants: tenants
                .iter()
                .map(|(id, text)| {
                    let version = TenantVersion {
                        revision_id: RevisionId::from_uuid(Uuid::from_u128(*id)),
                        secrets_version: 1,
                        service: Service::Open,
                    };
                    (
                        TenantId::from_uuid(Uuid::from_u128(*id)),
                        TenantState {
                            version,
                            fragments: fragments(text),
                        },
                    )
                })
                .collect(),
        }
    }

    #[test]
    fn equal_states_need_no_reload() {
        let one = state(&[(1, "a"), (2, "b")]);
        assert_eq!(changed_files(&one, &one), []);
        assert!(moved_tenants(&one, &one).is_empty());
    }

    #[test]
    fn only_the_module_whose_bytes_changed_is_reloaded() {
        let before = state(&[(1, "a"), (2, "b")]);
        let mut after = before.clone();
        let tenant = after.tenants.values_mut().next().unwrap();
        tenant.fragments.insert(Artifact::Voicemail, Digest::of("new"));
        assert_eq!(changed_files(&before, &after), [Artifact::Voicemail]);
        assert_eq!(moved_tenants(&before, &after).len(), 1);
    }

    #[test]
    fn an_instance_that_served_nothing_reads_every_file() {
        assert_eq!(
            changed_files(&InstanceState::nothing(KIND), &state(&[])),
            Artifact::of(KIND)
        );
        assert_eq!(InstanceState::nothing(KIND).markers()[&Artifact::Pjsip], None);
    }

    #[test]
    fn a_rotated_secret_is_a_change_although_no_value_is_shown() {
        let config = crate::render::samples().pop().unwrap().config;
        let id = TenantId::from_uuid(Uuid::nil());
        let old = state(&[(1, "a")]).tenants.into_values().next().unwrap().version;
        let new = TenantVersion {
            secrets_version: 2,
            ..old
        };
        let changes = tenant_changes(id, Some((&config, old)), Some((&config, new)));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].fields[0].field, "secrets_version");
    }

    proptest! {
        #[test]
        fn a_file_is_reloaded_if_and_only_if_a_fragment_of_it_differs(
            before in proptest::collection::btree_map(0_u128..6, "[ab]", 0..5),
            after in proptest::collection::btree_map(0_u128..6, "[ab]", 0..5),
        ) {
            let make = |map: &BTreeMap<u128, String>| {
                state(&map.iter().map(|(id, text)| (*id, text.as_str())).collect::<Vec<_>>())
            };
            let changed = !changed_files(&make(&before), &make(&after)).is_empty();
            let same_texts = before.values().eq(after.values());
            prop_assert_eq!(changed, !same_texts);
        }
    }
}
