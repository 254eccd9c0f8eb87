//! What differs between two configurations of a tenant, object by object and field by field.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::TenantId;
use super::parsed::word_enum;
use super::revision::{ExtensionConfig, TenantConfig};

word_enum! {
    /// What happens to an object.
    ChangeKind { Added = "added", Changed = "changed", Removed = "removed" }
}

/// One field of a changed object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Dotted path, such as `forward.busy`.
    pub field: String,
    /// The value that is live.
    pub before: Value,
    /// The value that would be.
    pub after: Value,
}

/// One object that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What happens to it.
    pub kind: ChangeKind,
    /// Whose it is; absent for the template set and the instance's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The object: `extension 1001`, `tenant acme.example.com`, `templates`, `settings`.
    pub object: String,
    /// The fields that differ, of a changed object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

impl Change {
    /// A change without fields.
    #[must_use]
    pub fn whole(kind: ChangeKind, tenant_id: Option<TenantId>, object: impl Into<String>) -> Self {
        Self {
            kind,
            tenant_id,
            object: object.into(),
            fields: Vec::new(),
        }
    }

    /// Whether it is of this object of a tenant.
    #[must_use]
    pub fn is_of(&self, tenant: TenantId, object: &str) -> bool {
        self.tenant_id == Some(tenant) && self.object == object
    }

    /// Puts something else in the place of values that may say something of a person; gives whether there was one.
    pub fn become_impersonal(&mut self) -> bool {
        // A tenant's name is nobody's.
        if !self.object.starts_with("extension ") {
            return false;
        }
        let personal = self.fields.iter_mut().filter(|change| {
            PERSONAL
                .iter()
                .any(|field| change.field == *field || change.field.starts_with(&format!("{field}.")))
        });
        let mut was_personal = false;
        for change in personal {
            for value in [&mut change.before, &mut change.after] {
                if !value.is_null() && value != NOT_KEPT {
                    *value = NOT_KEPT.into();
                    was_personal = true;
                }
            }
        }
        was_personal
    }
}

/// What stands in the record of a deploy for a value that may say something of a person.
pub const NOT_KEPT: &str = "not kept";
/// The same changes without what may say something of a person.
#[must_use]
pub fn impersonal(changes: &[Change]) -> Vec<Change> {
    let mut changes = changes.to_vec();
    for change in &mut changes {
        change.become_impersonal();
    }
    changes
}

/// The fields of an extension that may say something of whose it is.
const PERSONAL: [&str; 4] = ["name", "caller_id", "voicemail.email", "forward"];

/// Changes beyond these are counted, not listed: nobody reads more, and a first deploy of a large box has no end.
const MOST_LISTED: usize = 1_000;

/// The changes of one deploy.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ChangeList {
    /// The first ones.
    pub listed: Vec<Change>,
    /// How many more there are.
    pub unlisted: usize,
}

impl ChangeList {
    /// How many there are.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.listed.len() + self.unlisted
    }
}

impl Extend<Change> for ChangeList {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        for change in changes {
            if self.listed.len() < MOST_LISTED {
                self.listed.push(change);
            } else {
                self.unlisted += 1;
            }
        }
    }
}

/// What happens when `after` takes the place of `before`; in the order tenant, then extensions by number.
#[must_use]
pub fn between(
    tenant_id: TenantId,
    before: Option<&TenantConfig>,
    after: Option<&TenantConfig>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    match (before, after) {
        (None, Some(config)) => {
            changes.push(Change::whole(
                ChangeKind::Added,
                Some(tenant_id),
                format!("tenant {}", config.domain),
            ));
        }
        (Some(config), None) => {
            changes.push(Change::whole(
                ChangeKind::Removed,
                Some(tenant_id),
                format!("tenant {}", config.domain),
            ));
        }
        (Some(old), Some(new)) => {
            let fields = field_changes(&tenant_fields(old), &tenant_fields(new));
            if !fields.is_empty() {
                let object = format!("tenant {}", new.domain);
                changes.push(Change {
                    kind: ChangeKind::Changed,
                    tenant_id: Some(tenant_id),
                    object,
                    fields,
                });
            }
        }
        (None, None) => {}
    }
    let old = by_number(before);
    let new = by_number(after);
    let mut numbers: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let object = format!("extension {number}");
        match (old.get(number), new.get(number)) {
            (None, Some(_)) => changes.push(Change::whole(ChangeKind::Added, Some(tenant_id), object)),
            (Some(_), None) => changes.push(Change::whole(ChangeKind::Removed, Some(tenant_id), object)),
            (Some(old), Some(new)) if old != new => {
                let mut fields = field_changes(&flat(&old.settings), &flat(&new.settings));
                if old.id != new.id {
                    fields.push(FieldChange {
                        field: "id".to_owned(),
                        before: Value::String(old.id.to_string()),
                        after: Value::String(new.id.to_string()),
                    });
                }
                changes.push(Change {
                    kind: ChangeKind::Changed,
                    tenant_id: Some(tenant_id),
                    object,
                    fields,
                });
            }
            _ => {}
        }
    }
    changes
}

fn by_number(config: Option<&TenantConfig>) -> BTreeMap<&str, &ExtensionConfig> {
    config
        .into_iter()
        .flat_map(|c| &c.extensions)
        .map(|e| (e.number.as_str(), e))
        .collect()
}

fn tenant_fields(config: &TenantConfig) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("name".to_owned(), Value::String(config.name.to_string())),
        ("domain".to_owned(), Value::String(config.domain.to_string())),
        ("timezone".to_owned(), Value::String(config.timezone.to_string())),
        (
            "recording".to_owned(),
            Value::String(config.recording.to_string()),
        ),
        (
            "recording_notice".to_owned(),
            Value::String(config.notice.hearers.to_string()),
        ),
        (
            "recording_notice_sound".to_owned(),
            config.notice.sound.as_ref().map(ToString::to_string).into(),
        ),
        (
            "aliases".to_owned(),
            config.aliases.iter().map(ToString::to_string).collect(),
        ),
    ])
}

fn field_changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<FieldChange> {
    let mut fields: Vec<&String> = before.keys().chain(after.keys()).collect();
    fields.sort_unstable();
    fields.dedup();
    let value =
        |map: &BTreeMap<String, Value>, field: &String| map.get(field).cloned().unwrap_or(Value::Null);
    fields
        .into_iter()
        .map(|field| FieldChange {
            field: field.clone(),
            before: value(before, field),
            after: value(after, field),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The leaves of a serialized value by dotted path; arrays are leaves.
fn flat(value: &impl Serialize) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    let path = if path.is_empty() {
                        key
                    } else {
                        format!("{path}.{key}")
                    };
                    walk(&path, inner, leaves);
                }
            }
            leaf => {
                leaves.insert(path.to_owned(), leaf);
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk(
        "",
        serde_json::to_value(value).unwrap_or(Value::Null),
        &mut leaves,
    );
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::extension::ExtensionSettings;
    use crate::domain::ids::ExtensionId;
    use crate::domain::recording_notice::RecordingNotice;
    use crate::domain::tenant::RecordingPolicy;
    use uuid::Uuid;

    fn extension(number: &str, id: u128) -> ExtensionConfig {
        ExtensionConfig {
            id: ExtensionId::from_uuid(Uuid::from_u128(id)),
            number: number.parse().unwrap(),
            settings: ExtensionSettings::named("Ann".parse().unwrap()),
        }
    }

    fn tenant(extensions: Vec<ExtensionConfig>) -> TenantConfig {
        TenantConfig {
            name: "Acme".parse().unwrap(),
            domain: "acme.example.com".parse().unwrap(),
            aliases: Vec::new(),
            timezone: "UTC".parse().unwrap(),
            recording: RecordingPolicy::ByExtension,
            notice: RecordingNotice::unsaid(),
            extensions,
        }
    }

    const TENANT: TenantId = TenantId::from_uuid(Uuid::nil());

    #[test]
    fn equal_configurations_have_no_changes() {
        let config = tenant(vec![extension("1001", 1)]);
        assert_eq!(between(TENANT, Some(&config), Some(&config)), []);
    }

    #[test]
    fn a_changed_field_is_named_with_both_values() {
        let before = tenant(vec![extension("1001", 1)]);
        let mut after = before.clone();
        after.extensions[0].settings.forward.busy = Some("1002".parse().unwrap());
        let changes = between(TENANT, Some(&before), Some(&after));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].object, "extension 1001");
        assert_eq!(
            changes[0].fields,
            [FieldChange {
                field: "forward.busy".into(),
                before: Value::Null,
                after: "1002".into()
            }]
        );
    }

    #[test]
    fn a22_what_may_say_something_of_a_person_goes_and_the_rest_stays() {
        let before = tenant(vec![extension("1001", 1)]);
        let mut after = before.clone();
        let settings = &mut after.extensions[0].settings;
        settings.name = "Bob".parse().unwrap();
        settings.forward.busy = Some("1002".parse().unwrap());
        settings.caller_id.number = Some("+4930123".parse().unwrap());
        settings.voicemail.email = Some("ann@example.com".parse().unwrap());
        settings.voicemail.enabled = true;
        let mut change = between(TENANT, Some(&before), Some(&after)).remove(0);
        assert!(change.is_of(TENANT, "extension 1001") && !change.is_of(TENANT, "extension 100"));
        assert!(change.become_impersonal());
        let shown = serde_json::to_value(&change.fields).unwrap();
        assert_eq!(
            shown,
            serde_json::json!([
                {"field": "caller_id.number", "before": null, "after": "not kept"},
                {"field": "forward.busy", "before": null, "after": "not kept"},
                {"field": "name", "before": "not kept", "after": "not kept"},
                {"field": "voicemail.email", "before": null, "after": "not kept"},
                {"field": "voicemail.enabled", "before": false, "after": true},
            ])
        );
        assert!(!change.become_impersonal(), "nothing is left to take out");
    }

    #[test]
    fn added_and_removed_objects_are_named() {
        let before = tenant(vec![extension("1001", 1)]);
        let after = tenant(vec![extension("1002", 2)]);
        let kinds: Vec<_> = between(TENANT, Some(&before), Some(&after))
            .into_iter()
            .map(|c| (c.kind, c.object))
            .collect();
        assert_eq!(
            kinds,
            [
                (ChangeKind::Removed, "extension 1001".into()),
                (ChangeKind::Added, "extension 1002".into())
            ]
        );
        assert_eq!(between(TENANT, None, Some(&after)).len(), 2);
    }
}
