//! When a tenant's newest deployment leaves something to do.

use jiff::ToSpan as _;
use uuid::Uuid;

use super::*;
use crate::domain::ids::DeploymentId;

const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
const ASKED: RevisionId = RevisionId::from_uuid(Uuid::from_u128(2));
const OTHER: RevisionId = RevisionId::from_uuid(Uuid::from_u128(3));

/// Minutes since the edit.
fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + minutes.minutes()
}

/// Asked for one minute after the edit, ended after two.
fn ended(status: DeploymentStatus) -> Deployment {
    Deployment {
        id: DeploymentId::from_uuid(Uuid::nil()),
        instance_id: InstanceId::from_uuid(Uuid::nil()),
        scope: Scope::Tenant {
            tenant_id: TENANT,
            revision_id: ASKED,
        },
        status,
        requested_by: "system:auto".to_owned(),
        generation_id: None,
        generation: None,
        changes: Vec::new(),
        findings: Vec::new(),
        created_at: at(1),
        ended_at: status.is_end().then(|| at(2)),
    }
}

fn leaves(newest: &Deployment, head: Option<RevisionId>, now: Timestamp) -> bool {
    leaves_to_do(newest, head, Some(at(0)), now)
}

#[test]
fn what_was_refused_is_not_tried_again_until_it_changes() {
    for status in [DeploymentStatus::Rejected, DeploymentStatus::RolledBack] {
        let newest = ended(status);
        assert!(!leaves(&newest, Some(ASKED), at(100_000)), "{status}");
        // Edited; edited and taken as a revision; only a secret or the status.
        assert!(leaves(&newest, None, at(3)), "{status}");
        assert!(leaves(&newest, Some(OTHER), at(3)), "{status}");
        assert!(leaves_to_do(&newest, Some(ASKED), Some(at(3)), at(3)), "{status}");
    }
}

#[test]
fn what_has_not_ended_is_waited_for() {
    for status in [DeploymentStatus::Queued, DeploymentStatus::Applying] {
        let newest = ended(status);
        assert!(!leaves(&newest, None, at(3)) && !leaves(&newest, Some(OTHER), at(3)));
    }
}

#[test]
fn what_failed_is_tried_again_more_and_more_seldom() {
    let newest = ended(DeploymentStatus::Failed);
    assert!(!leaves(&newest, Some(ASKED), at(3)));
    assert!(
        leaves(&newest, Some(ASKED), at(4)),
        "after as long as it took to fail"
    );
    let late = Deployment {
        ended_at: Some(at(500)),
        ..newest
    };
    assert!(!leaves(&late, Some(ASKED), at(559)));
    assert!(leaves(&late, Some(ASKED), at(560)), "after an hour at the latest");
}

#[test]
fn a_rollback_is_not_undone() {
    let newest = Deployment {
        scope: Scope::TenantRollback {
            tenant_id: TENANT,
            revision_id: OTHER,
        },
        ..ended(DeploymentStatus::Live)
    };
    assert!(!leaves(&newest, Some(ASKED), at(100_000)));
    assert!(leaves(&newest, None, at(3)), "but the next edit goes live");
}

#[test]
fn an_instance_that_went_back_stays_there_until_an_edit() {
    let newest = ended(DeploymentStatus::Live);
    assert!(is_taken_back(Some(at(5)), None, None));
    assert!(is_taken_back(Some(at(5)), Some(&newest), Some(at(4))));
    assert!(!is_taken_back(Some(at(5)), Some(&newest), Some(at(6))));
    assert!(
        !is_taken_back(Some(at(0)), Some(&newest), Some(at(0))),
        "deployed since"
    );
    assert!(!is_taken_back(None, None, None));
}
