//! A tenant's record names no other tenant: what concerns others is told without their names, and in full to the log.

use std::collections::BTreeSet;

use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::sip_domain::names_in;

const WITHHELD: &str =
    "this concerns another part of the PBX; its operator finds the rest in the daemon's log";

/// Withholds what is about others. `others`: the domains of the other tenants of the instance.
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
    names_in(text).any(|name| domains.contains(name))
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
