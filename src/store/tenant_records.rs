//! What the records of others' deploys tell of a tenant, and that they tell it no more once it is gone.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::row::{Origin, RawJson, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::change::Change;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::sip_domain::{SipDomain, names_in};

statements! {
    MAY_TELL_OF = "select id, changes, findings from deployments where (tenant_id is null or tenant_id <> $1) \
        and (lower(cast(changes as text)) like $2 or lower(cast(findings as text)) like $2)";
    TELL_NO_MORE = "update deployments set changes = $2, findings = $3 where id = $1";
    STAGES_THAT_MAY = "select deployment_id, position, detail from deployment_stages where lower(detail) like $1";
    BLANK_STAGE = "update deployment_stages set detail = '' where deployment_id = $1 and position = $2";
}

/// Takes what the records of others' deploys tell of a tenant out of them, whichever of its domains they name; answers how
/// many records told something.
pub async fn forget(tx: &mut Tx, id: TenantId, domains: &BTreeSet<SipDomain>) -> Result<u64, StoreError> {
    let own = Own {
        text: id.to_string(),
        domains: domains.iter().map(ToString::to_string).collect(),
    };
    let mut told = BTreeMap::new();
    let mut stages = BTreeMap::new();
    // Neither an id nor a domain has a character that stands for others in a pattern; what is found is looked at again.
    for text in own.domains.iter().chain([&own.text]) {
        let like = format!("%{text}%");
        let found = run!(
            tx,
            fetch_all::<(Uuid, RawJson, RawJson)>(MAY_TELL_OF, id.uuid(), &like)
        )?;
        told.extend(
            found
                .into_iter()
                .map(|(id, changes, findings)| (id, (changes, findings))),
        );
        let found = run!(tx, fetch_all::<(Uuid, i64, String)>(STAGES_THAT_MAY, &like))?;
        stages.extend(
            found
                .into_iter()
                .map(|(id, position, detail)| ((id, position), detail)),
        );
    }
    let mut forgotten = 0;
    for (deployment, (changes, findings)) in told {
        let origin = Origin {
            table: "deployments",
            id: deployment,
        };
        let mut changes: Vec<Change> = origin.json("changes", &changes)?;
        let mut findings: Vec<Finding> = origin.json("findings", &findings)?;
        let before = changes.len() + findings.len();
        changes.retain(|change| change.tenant_id != Some(id) && !own.is_told_by(&change.object));
        findings.retain(|finding| {
            let texts = [
                finding.object.as_deref(),
                finding.quote.as_deref(),
                Some(&finding.message),
            ];
            finding.tenant_id != Some(id) && !texts.into_iter().flatten().any(|text| own.is_told_by(text))
        });
        if changes.len() + findings.len() == before {
            continue;
        }
        let changes = to_json("deployments.changes", &changes)?;
        let findings = to_json("deployments.findings", &findings)?;
        forgotten += run!(tx, execute(TELL_NO_MORE, deployment, changes, findings))?;
    }
    for ((deployment, position), _) in stages.iter().filter(|(_, detail)| own.is_told_by(detail)) {
        run!(tx, execute(BLANK_STAGE, *deployment, *position))?;
    }
    Ok(forgotten)
}

/// What tells of the tenant.
struct Own {
    text: String,
    domains: BTreeSet<String>,
}

impl Own {
    fn is_told_by(&self, text: &str) -> bool {
        text.contains(&self.text) || names_in(text).any(|name| self.domains.contains(&name))
    }
}
