//! A tenant's record names no other tenant: what concerns others is told without their names, and in full to the log.

use std::collections::BTreeSet;

use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::sip_domain::names_in;
use crate::store::{StoreError, Tx, domains};

const WITHHELD: &str =
    "this concerns another part of the PBX; its operator finds the rest in the daemon's log";

/// The domains by which a PBX may name other tenants: those that are to be served there, are, or were, and the former ones
/// of each.
pub async fn others(
    tx: &mut Tx,
    instance: InstanceId,
    own: TenantId,
) -> Result<BTreeSet<String>, StoreError> {
    let known = domains::known_on(tx, instance).await?;
    let others = known.into_iter().filter(|(id, _)| *id != own);
    Ok(others.map(|(_, domain)| domain.to_string()).collect())
}

/// What is told in one line, such as why a stage failed, unless it names another tenant.
#[must_use]
pub fn detail<'a>(others: &BTreeSet<String>, detail: &'a str) -> &'a str {
    if names_one_of(detail, others) {
        tracing::warn!(detail, "the detail of a stage is withheld from a tenant's record");
        return WITHHELD;
    }
    detail
}

/// Withholds what is about others. `others`: their domains.
#[must_use]
pub fn for_tenant(own: TenantId, others: &BTreeSet<String>, findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let texts = [
            finding.object.as_deref(),
            finding.quote.as_deref(),
            Some(finding.message.as_str()),
        ];
        let is_own = finding.tenant_id.is_none_or(|id| id == own);
        if is_own && !texts.into_iter().flatten().any(|text| names_one_of(text, others)) {
            kept.push(finding);
            continue;
        }
        tracing::warn!(finding = ?finding, "a finding is withheld from a tenant's record");
        let withheld = Finding::new(finding.severity, &finding.code, WITHHELD);
        if !kept.contains(&withheld) {
            kept.push(withheld);
        }
    }
    kept
}

fn names_one_of(text: &str, domains: &BTreeSet<String>) -> bool {
    names_in(text).any(|name| domains.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OWN: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId::from_uuid(Uuid::from_u128(2));

    fn others() -> BTreeSet<String> {
        BTreeSet::from(["me.example.com".to_owned(), "globex.example.com".to_owned()])
    }

    #[test]
    fn what_names_another_tenant_is_withheld_once() {
        let quoting = |quote: &str| Finding::warning("asterisk_complained", "m").quoting(quote);
        let findings = vec![
            quoting("object '1001@globex.example.com' is wrong"),
            quoting("context globex.example.com."),
            quoting("channel PJSIP/1001@globex.example.com-0000002a"),
            Finding::error("render_failed", "m").of_tenant(OTHER),
            Finding::error("render_failed", "m").about("tenant me.example.com"),
        ];
        let kept = for_tenant(OWN, &others(), findings);
        let codes: Vec<&str> = kept.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, ["asterisk_complained", "render_failed"]);
        assert!(
            kept.iter()
                .all(|finding| finding.message == WITHHELD && finding.quote.is_none())
        );
    }

    #[test]
    fn the_detail_of_a_stage_names_nobody_else() {
        let others = others();
        let refused = "reload refused: 1001@globex.example.com";
        assert_eq!(detail(&others, refused), WITHHELD);
        assert_eq!(detail(&others, "reloaded: pjsip.conf"), "reloaded: pjsip.conf");
    }

    #[test]
    fn what_is_ones_own_or_nobodys_stays() {
        let findings = vec![
            Finding::error("emergency_number", "m")
                .of_tenant(OWN)
                .about("extension 115"),
            Finding::warning("asterisk_complained", "m").quoting("object '1001@acme.example.com' is wrong"),
            Finding::warning("drift", "pjsip.conf was edited"),
        ];
        assert_eq!(for_tenant(OWN, &others(), findings.clone()), findings);
    }
}
