//! An erasure as every surface shows it: what was found, what became of it, and the certificate.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::erasures::{Left, digest, left};
use crate::domain::dial::DialNumber;
use crate::domain::digest::Digest;
use crate::domain::erasure::{
    CallErasure, Erasure, ErasurePart, ErasurePlace, ErasureStatus, ErasureSubject, Foreseen,
};
use crate::domain::ids::{ErasureId, ExtensionId, InstanceId, TenantId, UserId};

/// Whose data is erased: one of `extension`, `user` and `number` is there, but for a number that nothing needs any more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErasureSubject")]
struct SubjectView {
    extension: Option<ExtensionId>,
    user: Option<UserId>,
    /// `null` once all that was found is erased.
    number: Option<DialNumber>,
    /// Only what began or was left then or later.
    from: Option<Timestamp>,
    /// Only what began or was left before.
    to: Option<Timestamp>,
}

impl From<ErasureSubject> for SubjectView {
    fn from(subject: ErasureSubject) -> Self {
        let within = subject.within();
        let mut view = Self {
            extension: None,
            user: None,
            number: None,
            from: within.from,
            to: within.to,
        };
        match subject {
            ErasureSubject::Extension { id, .. } => view.extension = Some(id),
            ErasureSubject::User { id } => view.user = Some(id),
            ErasureSubject::Number { id, .. } => view.number = id,
        }
        view
    }
}

/// An erasure.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Erasure")]
pub struct ErasureView {
    id: ErasureId,
    status: ErasureStatus,
    subject: SubjectView,
    call_records: CallErasure,
    requested_by: String,
    requested_at: Timestamp,
    run_by: Option<String>,
    run_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// What was found when it was asked for.
    preview: Vec<Foreseen>,
    /// What is erased, place by place; empty until it was looked for again, and in a list.
    parts: Vec<ErasurePartView>,
    /// What it does not reach, and what makes that go.
    left: Vec<Left>,
}

/// What is erased at a place.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErasurePart")]
struct ErasurePartView {
    place: ErasurePlace,
    /// The PBX on which recordings or messages lie; `null` of all else.
    instance_id: Option<InstanceId>,
    /// How many there were; `null` until its host has looked.
    found: Option<i64>,
    /// How many are erased: removed, blanked, or with something else in the person's place.
    erased: i64,
    /// How many bytes of files were removed.
    bytes: i64,
    /// How many stay, at least 1 where nobody knows how many.
    kept: i64,
    /// Why.
    detail: Option<String>,
    ended_at: Option<Timestamp>,
}

impl From<ErasurePart> for ErasurePartView {
    fn from(part: ErasurePart) -> Self {
        Self {
            place: part.place,
            instance_id: part.instance_id,
            found: part.found,
            erased: part.erased,
            bytes: part.bytes,
            kept: part.kept,
            detail: part.detail,
            ended_at: part.ended_at,
        }
    }
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        Self {
            left: left(&erasure.subject),
            id: erasure.id,
            status: erasure.status,
            subject: erasure.subject.into(),
            call_records: erasure.call_records,
            requested_by: erasure.requested_by,
            requested_at: erasure.requested_at,
            run_by: erasure.run_by,
            run_at: erasure.run_at,
            ended_at: erasure.ended_at,
            preview: erasure.preview,
            parts: erasure.parts.into_iter().map(ErasurePartView::from).collect(),
        }
    }
}

/// What an erasure that has ended did, for whoever asked for it. It says nothing of the person but an id or that it was a number.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErasureCertificate")]
pub struct CertificateView {
    erasure_id: ErasureId,
    tenant_id: TenantId,
    /// Whether nothing of what was found stays.
    complete: bool,
    /// What kind of thing the person was known by.
    subject_kind: &'static str,
    subject: SubjectView,
    call_records: CallErasure,
    requested_at: Timestamp,
    run_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    parts: Vec<ErasurePartView>,
    /// What it does not reach, and what makes that go.
    left: Vec<Left>,
    /// The same digest stands in the entry `data.erasure_end` of the audit log: nothing of what is said here was changed since.
    digest: Digest,
}

impl From<Erasure> for CertificateView {
    fn from(erasure: Erasure) -> Self {
        Self {
            digest: digest(&erasure),
            left: left(&erasure.subject),
            erasure_id: erasure.id,
            tenant_id: erasure.tenant_id,
            complete: erasure.outcome() == ErasureStatus::Done,
            subject_kind: match erasure.subject {
                ErasureSubject::Extension { .. } => "extension",
                ErasureSubject::User { .. } => "user",
                ErasureSubject::Number { .. } => "number",
            },
            subject: erasure.subject.for_good().into(),
            call_records: erasure.call_records,
            requested_at: erasure.requested_at,
            run_at: erasure.run_at,
            ended_at: erasure.ended_at,
            parts: erasure.parts.into_iter().map(ErasurePartView::from).collect(),
        }
    }
}
