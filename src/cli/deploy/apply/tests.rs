//! Every end of a deploy has its exit code.

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::domain::deployment::Scope;
use crate::domain::finding::Finding;
use crate::domain::ids::{DeploymentId, InstanceId};

fn exit(status: DeploymentStatus, findings: Vec<Finding>) -> Exit {
    let deployment = Deployment {
        id: DeploymentId::from_uuid(Uuid::nil()),
        instance_id: InstanceId::from_uuid(Uuid::nil()),
        scope: Scope::Platform,
        status,
        requested_by: "system:cli".to_owned(),
        generation_id: None,
        generation: Some(3),
        changes: Vec::new(),
        findings,
        created_at: Timestamp::UNIX_EPOCH,
        ended_at: None,
    };
    let (exit, outcome) = outcome(&deployment);
    assert!(outcome.contains(':'), "{outcome}");
    exit
}

#[test]
fn every_status_has_its_exit_code() {
    let exits: Vec<_> = DeploymentStatus::ALL
        .iter()
        .map(|status| (status.as_str(), exit(*status, Vec::new()).code()))
        .collect();
    assert_eq!(
        exits,
        [
            ("queued", 12),
            ("planning", 12),
            ("validating", 12),
            ("applying", 12),
            ("verifying", 12),
            ("live", 0),
            ("unchanged", 0),
            ("partial", 10),
            ("rejected", 6),
            ("rolled_back", 7),
            ("failed", 8),
            ("superseded", 11),
        ]
    );
}

#[test]
fn a_pbx_that_was_not_reached_is_told_apart() {
    let finding = Finding::error(UNREACHABLE, "no answer");
    assert_eq!(exit(DeploymentStatus::Failed, vec![finding]), Exit::Unreachable);
}
