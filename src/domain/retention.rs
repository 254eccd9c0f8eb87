//! For how long a tenant keeps what it has, kind by kind.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::digest::Digest;
use super::given::given;
use super::invalid::{FieldErrors, Invalid};
use super::parsed::word_enum;

/// What stands for no end.
const FOREVER: &str = "forever";
const HOURS_OF_A_DAY: i64 = 24;

/// For how long something is kept: so many days, or `forever`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing of it is removed.
    #[default]
    Forever,
    /// It goes once it is older.
    Days(Days),
}

/// 1 to 36500 days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Days(i64);

impl Days {
    /// The most: a hundred years.
    pub const MOST: i64 = 36_500;

    /// Refuses what is no time to keep something for.
    pub fn new(days: i64) -> Result<Self, Invalid> {
        if (1..=Self::MOST).contains(&days) {
            Ok(Self(days))
        } else {
            Err(wrong())
        }
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

fn wrong() -> Invalid {
    Invalid::new("must be 1 to 36500 days, or `forever`")
}

impl Keep {
    /// Before which time something goes that is kept so; none where all of it stays.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Forever => None,
            Self::Days(days) => {
                let kept = SignedDuration::from_hours(days.get().saturating_mul(HOURS_OF_A_DAY));
                // Before the first time that can be told, there is nothing.
                Some(now.checked_sub(kept).unwrap_or(Timestamp::MIN))
            }
        }
    }

    /// The days; none where it is kept forever.
    #[must_use]
    pub const fn days(self) -> Option<i64> {
        match self {
            Self::Forever => None,
            Self::Days(days) => Some(days.get()),
        }
    }

    fn of_json(value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::String(word) if word == FOREVER => Ok(Self::Forever),
            Value::Number(days) => days
                .as_i64()
                .ok_or_else(wrong)
                .and_then(Days::new)
                .map(Self::Days),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str(FOREVER),
            Self::Days(days) => write!(f, "{}", days.get()),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Forever => serializer.serialize_str(FOREVER),
            Self::Days(days) => serializer.serialize_i64(days.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of_json(&value).map_err(D::Error::custom)
    }
}

impl JsonSchema for Keep {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "For so many days, or `forever`.",
            "oneOf": [
                {"type": "integer", "minimum": 1, "maximum": Days::MOST},
                {"const": FOREVER},
            ],
        })
    }
}

/// Declares the kinds: what stands here is in the policy, its input, the database and the purge.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $field:ident $variant:ident = $word:literal),+ $(,)?) => {
        word_enum! {
            /// What a tenant says for how long it is kept.
            RetentionKind { $($(#[doc = $doc])* $variant = $word),+ }
        }

        /// For how long a tenant keeps what it has; what it says nothing of is kept forever.
        #[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
        #[schemars(rename = "Retention")]
        #[serde(default)]
        pub struct RetentionPolicy { $($(#[doc = $doc])* pub $field: Keep),+ }

        impl RetentionPolicy {
            /// For how long it keeps this.
            #[must_use]
            pub const fn of(&self, kind: RetentionKind) -> Keep {
                match kind { $(RetentionKind::$variant => self.$field),+ }
            }

            /// Says it for a kind.
            pub const fn set(&mut self, kind: RetentionKind, keep: Keep) {
                match kind { $(RetentionKind::$variant => self.$field = keep),+ }
            }
        }

        /// A whole policy; a kind that is not named is kept forever.
        #[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct RetentionInput {
            $(
                $(#[doc = $doc])*
                #[serde(deserialize_with = "given")]
                #[schemars(with = "Keep")]
                pub $field: Option<Value>
            ),+
        }

        impl RetentionInput {
            /// The policy that it says; refused with every field that is wrong.
            pub fn parse(&self) -> Result<RetentionPolicy, FieldErrors> {
                let mut errors = FieldErrors::default();
                let mut policy = RetentionPolicy::default();
                $(
                    let keep = self.$field.as_ref().map(Keep::of_json);
                    if let Some(keep) = keep.and_then(|keep| errors.take($word, keep)) {
                        policy.$field = keep;
                    }
                )+
                errors.check().map(|()| policy)
            }
        }
    };
}

kinds! {
    /// Records of calls, by when the call began.
    call_records CallRecords = "call_records",
    /// Recordings of calls with their files, by when they were last written to.
    recordings Recordings = "recordings",
    /// What the tenant's audit entries say of people, by when it happened; the entries themselves stay.
    audit_payloads AuditPayloads = "audit_payloads",
    /// Records of deploys that nothing is gone back to, by when they ended.
    deployments Deployments = "deployments",
    /// Archived tickets with what was said about them, by when they were archived.
    tickets Tickets = "tickets",
    /// Messages in mail boxes, by when they were left.
    voicemail Voicemail = "voicemail",
}

impl RetentionPolicy {
    /// Whether nothing ever goes.
    #[must_use]
    pub fn is_forever(&self) -> bool {
        RetentionKind::ALL
            .iter()
            .all(|kind| self.of(*kind) == Keep::Forever)
    }

    /// Names what it says: equal policies have equal tags.
    #[must_use]
    pub fn tag(&self) -> String {
        let texts: Vec<String> = RetentionKind::ALL
            .iter()
            .map(|kind| format!("{kind} {}", self.of(*kind)))
            .collect();
        Digest::of_parts(texts.iter().map(String::as_bytes)).short()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn days(days: i64) -> Keep {
        Keep::Days(Days::new(days).unwrap())
    }

    #[rstest]
    #[case(json!("forever"), Keep::Forever)]
    #[case(json!(1), days(1))]
    #[case(json!(36_500), days(36_500))]
    fn a20_a_time_reads_back_as_it_is_written(#[case] json: Value, #[case] keep: Keep) {
        assert_eq!(serde_json::from_value::<Keep>(json.clone()).unwrap(), keep);
        assert_eq!(json!(keep), json);
    }

    #[rstest]
    #[case(json!(0))]
    #[case(json!(-1))]
    #[case(json!(36_501))]
    #[case(json!(1.5))]
    #[case(json!("30"))]
    #[case(json!("Forever"))]
    #[case(json!(null))]
    #[case(json!([30]))]
    #[case(json!(18_446_744_073_709_551_615_u64))]
    fn a20_what_is_no_time_is_refused_by_its_field(#[case] json: Value) {
        let named = json!({"recordings": json, "deployments": 7});
        match serde_json::from_value::<RetentionInput>(named) {
            Ok(input) => {
                let errors = input.parse().unwrap_err();
                let fields: Vec<&str> = errors.iter().map(|(field, _)| field).collect();
                assert_eq!(fields, ["recordings"]);
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a20_what_is_not_named_is_kept_forever_and_what_is_unknown_refused() {
        let input: RetentionInput = serde_json::from_value(json!({"call_records": 90})).unwrap();
        let policy = input.parse().unwrap();
        for kind in RetentionKind::ALL {
            let expected = match kind {
                RetentionKind::CallRecords => days(90),
                _ => Keep::Forever,
            };
            assert_eq!(policy.of(*kind), expected, "{kind}");
        }
        assert!(!policy.is_forever() && RetentionPolicy::default().is_forever());
        assert!(serde_json::from_value::<RetentionInput>(json!({"calls": 90})).is_err());
    }

    #[test]
    fn a20_each_kind_has_its_own_place_in_policy_and_tag() {
        let mut tags = vec![RetentionPolicy::default().tag()];
        for kind in RetentionKind::ALL {
            for keep in [days(7), days(8)] {
                let mut policy = RetentionPolicy::default();
                policy.set(*kind, keep);
                assert_eq!(policy.of(*kind), keep);
                let json = json!(policy);
                assert_eq!(json[kind.as_str()], json!(keep));
                assert_eq!(serde_json::from_value::<RetentionPolicy>(json).unwrap(), policy);
                tags.push(policy.tag());
            }
        }
        let count = tags.len();
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), count);
    }

    proptest! {
        #[test]
        fn a20_a_cutoff_is_so_many_days_of_24_hours_before(now in any::<i32>(), kept in 1..=Days::MOST) {
            let now = Timestamp::from_second(now.into()).unwrap();
            let cutoff = days(kept).cutoff(now).unwrap();
            prop_assert_eq!(now.as_second() - cutoff.as_second(), kept * 86_400);
            prop_assert_eq!(Keep::Forever.cutoff(now), None);
        }
    }

    #[test]
    fn a20_nothing_is_older_than_the_first_time_there_is() {
        assert_eq!(days(1).cutoff(Timestamp::MIN), Some(Timestamp::MIN));
    }
}
