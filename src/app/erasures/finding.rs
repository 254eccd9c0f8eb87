//! Where something of a person is, and how much of it: the same for what is shown before and for what is erased.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use uuid::Uuid;

use super::AppError;
use crate::app::purges::own_pbx;
use crate::domain::dial::DialNumber;
use crate::domain::erasure::{ErasurePlace, ErasureSubject, Foreseen, Marks};
use crate::domain::export::Span;
use crate::domain::ids::{
    AuditId, CallRecordId, ExtensionId, InstanceId, RecordingId, TenantId, UserId, VoicemailId,
};
use crate::store::erasure_finds::{self, Traces};
use crate::store::{Tx, erasure_whole, exports, extensions, users, voicemail};

/// What was found somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// These, one by one.
    Each(Vec<Uuid>),
    /// So many, which go at once.
    Whole(i64),
}

impl Found {
    pub(super) fn count(&self) -> i64 {
        match self {
            Self::Each(ids) => i64::try_from(ids.len()).unwrap_or(i64::MAX),
            Self::Whole(count) => *count,
        }
    }
}

/// A place, with the PBX of what lies on one.
pub(super) type Where = (ErasurePlace, Option<InstanceId>);

/// What was found, place by place in the order in which it is erased: what lies on a PBX first, while records still tell of it.
pub(super) type Finds = BTreeMap<Where, Found>;

/// How much that is.
pub(super) fn previewed(found: &Finds) -> Vec<Foreseen> {
    let found = found.iter();
    found
        .map(|((place, instance_id), found)| Foreseen {
            place: *place,
            instance_id: *instance_id,
            found: found.count(),
        })
        .collect()
}

/// Looks for everything of a person. A place at which there is nothing is told all the same.
pub(super) async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    subject: &ErasureSubject,
    marks: &Marks,
) -> Result<Finds, AppError> {
    let mut finds = Finds::new();
    match subject {
        ErasureSubject::Extension { id, within } => {
            of_extension(tx, tenant, *id, *within, marks, &mut finds).await?;
        }
        ErasureSubject::Number {
            id: Some(number),
            within,
        } => {
            of_number(tx, tenant, number, *within, &mut finds).await?;
        }
        ErasureSubject::Number { id: None, .. } => {}
        ErasureSubject::User { id } => of_user(tx, tenant, *id, marks, &mut finds).await?,
    }
    Ok(finds)
}

async fn of_extension(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
    within: Span,
    marks: &Marks,
    finds: &mut Finds,
) -> Result<(), AppError> {
    let Some(number) = &marks.number else {
        return Ok(());
    };
    let calls = exports::calls_of_extension(tx, tenant, id, within).await?;
    calls_with_recordings(tx, tenant, calls, finds).await?;
    let messages = voicemail::left_in(tx, tenant, number, within).await?;
    in_mail_boxes(tx, tenant, messages, finds).await?;
    let there = extensions::find(tx, tenant, id).await?;
    // Where it was theirs until some time, its settings are of whoever has it now, if it is there.
    if within.to.is_none() || there.is_none() {
        let answers = erasure_whole::count_answers(tx, tenant, &id.to_string()).await?;
        whole(finds, ErasurePlace::KeptAnswers, answers);
        let settings = there.map(|_| id.uuid()).into_iter().collect();
        each(finds, ErasurePlace::Extension, settings);
    }
    let events = erasure_finds::events(tx, tenant, number.as_str()).await?;
    each(finds, ErasurePlace::WebhookEvents, events);
    let mut deployments = BTreeSet::new();
    for object in objects(number.as_str()) {
        deployments.extend(erasure_finds::deployments(tx, tenant, &object, within).await?);
    }
    each(
        finds,
        ErasurePlace::Deployments,
        deployments.into_iter().collect(),
    );
    let about = Traces {
        targets: BTreeSet::from([id.to_string()]),
        within,
        ..Traces::default()
    };
    payloads(tx, tenant, &about, finds).await
}

/// Whose data it is, of an extension that was deleted no longer than until then: its number may be somebody else's since.
pub(super) async fn until_gone(
    tx: &mut Tx,
    tenant: TenantId,
    subject: ErasureSubject,
) -> Result<ErasureSubject, AppError> {
    let ErasureSubject::Extension { id, within } = subject else {
        return Ok(subject);
    };
    if extensions::find(tx, tenant, id).await?.is_some() {
        return Ok(subject);
    }
    let target = id.to_string();
    let gone = erasure_finds::deleted_at(tx, tenant, "extension", &target, "extension.delete").await?;
    // What tells of the deletion is about them too.
    let until = gone.map(|gone| gone + SignedDuration::from_micros(1));
    let to = within.to.into_iter().chain(until).min();
    Ok(ErasureSubject::Extension {
        id,
        within: Span { to, ..within },
    })
}

/// By what a person is known still: by no address that another user of the tenant has by now, for what they do would go too.
pub(super) async fn still_theirs(
    tx: &mut Tx,
    tenant: TenantId,
    subject: &ErasureSubject,
    mut marks: Marks,
) -> Result<Marks, AppError> {
    if let (ErasureSubject::User { id }, Some(email)) = (subject, &marks.email) {
        let holder = users::find_by_email(tx, email).await?;
        let is_given = holder.is_some_and(|user| user.id != *id && user.tenant_id() == Some(tenant));
        marks.email = marks.email.filter(|_| !is_given);
    }
    Ok(marks)
}

/// How the record of a deploy names an extension, and what there is of it on a PBX.
pub(super) fn objects(number: &str) -> [String; 2] {
    [format!("extension {number}"), format!("mailbox {number}")]
}

async fn of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: &DialNumber,
    within: Span,
    finds: &mut Finds,
) -> Result<(), AppError> {
    let calls = erasure_finds::calls_naming(tx, tenant, number.as_str(), within).await?;
    calls_with_recordings(tx, tenant, calls, finds).await?;
    let messages = voicemail::left_by_or_in(tx, tenant, number, within).await?;
    in_mail_boxes(tx, tenant, messages, finds).await?;
    let events = erasure_finds::events(tx, tenant, number.as_str()).await?;
    each(finds, ErasurePlace::WebhookEvents, events);
    let named = Traces {
        named: [Some(number.to_string()), None],
        within,
        ..Traces::default()
    };
    payloads(tx, tenant, &named, finds).await
}

async fn of_user(
    tx: &mut Tx,
    tenant: TenantId,
    id: UserId,
    marks: &Marks,
    finds: &mut Finds,
) -> Result<(), AppError> {
    let there = users::find(tx, tenant, id).await?;
    whole(finds, ErasurePlace::Account, i64::from(there.is_some()));
    let actors: Vec<Uuid> = [id.uuid()]
        .into_iter()
        .chain(marks.keys.iter().copied())
        .collect();
    let (mut tickets, mut comments) = (BTreeSet::new(), BTreeSet::new());
    for actor in &actors {
        tickets.extend(erasure_finds::tickets(tx, tenant, *actor).await?);
        comments.extend(erasure_finds::comments(tx, tenant, *actor).await?);
    }
    let opened: Vec<String> = tickets.iter().map(ToString::to_string).collect();
    each(finds, ErasurePlace::Tickets, tickets.into_iter().collect());
    each(
        finds,
        ErasurePlace::TicketComments,
        comments.into_iter().collect(),
    );
    let (mut requests, mut events) = (0, Vec::new());
    if let Some(email) = &marks.email {
        requests = erasure_whole::count_requests(tx, tenant, email).await?;
        events = erasure_finds::events(tx, tenant, email.as_str()).await?;
    }
    whole(finds, ErasurePlace::Requests, requests);
    each(finds, ErasurePlace::WebhookEvents, events);
    whole(
        finds,
        ErasurePlace::KeptAnswers,
        erasure_whole::count_answers(tx, tenant, &id.to_string()).await?,
    );
    let keys = marks.keys.iter().map(ToString::to_string);
    let traces = Traces {
        actors: actors.into_iter().collect(),
        // A ticket's subject is in what others did with it.
        targets: [id.to_string()].into_iter().chain(keys).chain(opened).collect(),
        named: [
            Some(id.to_string()),
            marks.email.as_ref().map(ToString::to_string),
        ],
        ..Traces::default()
    };
    payloads(tx, tenant, &traces, finds).await
}

fn each(finds: &mut Finds, place: ErasurePlace, ids: Vec<Uuid>) {
    finds.insert((place, None), Found::Each(ids));
}

fn whole(finds: &mut Finds, place: ErasurePlace, count: i64) {
    finds.insert((place, None), Found::Whole(count));
}

async fn calls_with_recordings(
    tx: &mut Tx,
    tenant: TenantId,
    calls: Vec<CallRecordId>,
    finds: &mut Finds,
) -> Result<(), AppError> {
    let mut recordings: BTreeMap<InstanceId, BTreeSet<Uuid>> = BTreeMap::new();
    // Also where none is known: some may lie there that nobody has found so far, or can.
    if let Some(own) = own_pbx(tx, tenant).await? {
        recordings.entry(own.id).or_default();
    }
    for call in &calls {
        if let Some((instance, found)) = erasure_finds::recordings_of_call(tx, tenant, *call).await? {
            let found = found.into_iter().map(RecordingId::uuid);
            recordings.entry(instance).or_default().extend(found);
        }
    }
    for (instance, ids) in recordings {
        let ids = Found::Each(ids.into_iter().collect());
        finds.insert((ErasurePlace::Recordings, Some(instance)), ids);
    }
    let calls = calls.into_iter().map(CallRecordId::uuid).collect();
    each(finds, ErasurePlace::CallRecords, calls);
    Ok(())
}

/// Messages by the PBX that holds them. The tenant's own is one of these in any case: what lies there now is known once it was
/// looked at, and where it cannot be, its part says so.
async fn in_mail_boxes(
    tx: &mut Tx,
    tenant: TenantId,
    messages: Vec<VoicemailId>,
    finds: &mut Finds,
) -> Result<(), AppError> {
    let mut held: BTreeMap<InstanceId, Vec<Uuid>> = BTreeMap::new();
    if let Some(own) = own_pbx(tx, tenant).await? {
        held.entry(own.id).or_default();
    }
    for message in messages {
        let instance = erasure_finds::place_of_message(tx, tenant, message.uuid()).await?;
        if let Some(instance) = instance {
            held.entry(instance).or_default().push(message.uuid());
        }
    }
    for (instance, ids) in held {
        finds.insert((ErasurePlace::Voicemail, Some(instance)), Found::Each(ids));
    }
    Ok(())
}

/// The messages of a person that a PBX is known to hold.
pub(super) async fn messages_on(
    tx: &mut Tx,
    tenant: TenantId,
    subject: &ErasureSubject,
    marks: &Marks,
    instance: InstanceId,
) -> Result<Vec<Uuid>, AppError> {
    let within = subject.within();
    let messages = match (subject, &marks.number) {
        (ErasureSubject::Extension { .. }, Some(number)) => {
            voicemail::left_in(tx, tenant, number, within).await?
        }
        (ErasureSubject::Number { id: Some(number), .. }, _) => {
            voicemail::left_by_or_in(tx, tenant, number, within).await?
        }
        _ => Vec::new(),
    };
    let mut held = Vec::new();
    for message in messages {
        if erasure_finds::place_of_message(tx, tenant, message.uuid()).await? == Some(instance) {
            held.push(message.uuid());
        }
    }
    Ok(held)
}

async fn payloads(tx: &mut Tx, tenant: TenantId, traces: &Traces, finds: &mut Finds) -> Result<(), AppError> {
    let (mut ids, mut after) = (BTreeSet::new(), None);
    loop {
        let (some, next) = erasure_finds::payloads(tx, tenant, traces, after).await?;
        ids.extend(some.into_iter().map(AuditId::uuid));
        after = next;
        if after.is_none() {
            break;
        }
    }
    each(finds, ErasurePlace::AuditPayloads, ids.into_iter().collect());
    Ok(())
}
