//! What is done to one row of a tenant that says something of a person: removed, or with something else in their place.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::audit::select;
use super::audit_row::Row as AuditRow;
use super::row::{Origin, RawJson, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_part::{CallPart, WholeCall};
use crate::domain::call_text::CallText;
use crate::domain::change::Change;
use crate::domain::erasure::PLACEHOLDER;
use crate::domain::finding::Finding;
use crate::domain::ids::{AuditId, TenantId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::stranger::{Shown, Stranger};

statements! {
    CALL = "select from_number, from_name, to_number from call_records where tenant_id = $1 and id = $2";
    LOCK_CALL = "select id from call_records where tenant_id = $1 and id = $2", 0, " for update";
    SET_CALL = "update call_records set from_number = $3, from_name = $4, to_number = $5, erased = true where tenant_id = $1 and id = $2";
    DELETE_CALL = "delete from call_records where tenant_id = $1 and id = $2";
    PARTS = "select p.part, p.told from call_record_parts p join call_records r on r.id = p.record_id \
        where r.tenant_id = $1 and r.id = $2 order by p.part";
    SET_PART = "update call_record_parts set told = $4 where part = $3 \
        and record_id = (select id from call_records where tenant_id = $1 and id = $2)";
    LEAVE_BY_ID = "delete from call_record_extensions where record_id = (select id from call_records \
        where tenant_id = $1 and id = $2) and extension_id = $3";
    LEAVE_CALL = "delete from call_record_extensions where record_id = (select id from call_records \
        where tenant_id = $1 and id = $2) and extension_id in (select id from extensions where tenant_id = $1 and number = $3)";
    TICKET = "update tickets set subject = case when opened_by_id = $3 then $4 else subject end, \
        text = case when opened_by_id = $3 then $4 else text end, \
        opened_by_name = case when opened_by_id = $3 then $4 else opened_by_name end, \
        assignee_name = case when assignee_id = $3 then $4 else assignee_name end, \
        version = version + 1, updated_at = $5 where tenant_id = $1 and id = $2 and (opened_by_id = $3 or assignee_id = $3)";
    COMMENT = "update ticket_comments set text = $3, author_name = $3 where tenant_id = $1 and id = $2";
    PAYLOAD = select!("tenant_id = $1 and id = $2 and salt is not null");
    // Of one that is the platform's, another tenant's part may be worked on at the same time.
    DEPLOYMENT = "select changes, findings from deployments where (tenant_id = $1 or tenant_id is null) and id = $2 \
        and ended_at is not null", 0, " for update";
    SET_DEPLOYMENT = "update deployments set changes = $3, findings = $4 where (tenant_id = $1 or tenant_id is null) \
        and id = $2 and ended_at is not null";
    EVENT = "select webhook_id, number, body from webhook_events where event_id = $2 \
        and webhook_id in (select id from webhooks where tenant_id = $1)";
    SET_EVENT = "update webhook_events set body = $4 where webhook_id = (select id from webhooks where tenant_id = $1 \
        and id = $2) and number = $3";
}

/// Removes the record of a call; false where it is gone.
pub async fn remove_call(tx: &mut Tx, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE_CALL, tenant.uuid(), id))? == 1)
}

/// Whether somebody is in the record of a call or in one of its parts.
pub async fn is_in_call(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
    who: &Stranger,
    domains: &BTreeSet<SipDomain>,
) -> Result<bool, StoreError> {
    let Some((mut record, parts)) = call(tx, tenant, id).await? else {
        return Ok(false);
    };
    let (mut parts, shown) = (parts.into_iter(), Shown::default());
    Ok(record.leave(who) || parts.any(|(_, mut part)| who.leave(&mut part, &shown, is_own(domains))))
}

/// Takes somebody out of the record of a call and its parts, and has nothing more added to it; false where they are not in it.
pub async fn leave_call(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
    who: &Stranger,
    domains: &BTreeSet<SipDomain>,
) -> Result<bool, StoreError> {
    // Whoever is told of another part of it is done with that before, or adds nothing any more.
    run!(tx, fetch_optional::<(Uuid,)>(LOCK_CALL, tenant.uuid(), id))?;
    let Some((mut record, parts)) = call(tx, tenant, id).await? else {
        return Ok(false);
    };
    let (mut was_in, mut all) = (record.leave(who), Vec::with_capacity(parts.len()));
    let shown = who.shown(parts.iter().map(|(_, part)| part), is_own(domains));
    for (key, mut part) in parts {
        if who.leave(&mut part, &shown, is_own(domains)) {
            let told = to_json("call_record_parts.told", &part)?;
            run!(tx, execute(SET_PART, tenant.uuid(), id, key, told))?;
            was_in = true;
        }
        all.push(part);
    }
    if let Some(extension) = who.extension {
        was_in |= run!(tx, execute(LEAVE_BY_ID, tenant.uuid(), id, extension.uuid()))? > 0;
    } else if let Some(phone) = &who.phone {
        was_in |= run!(tx, execute(LEAVE_CALL, tenant.uuid(), id, phone.as_str()))? > 0;
    }
    if was_in {
        // A phone may have shown another number than its own: who called is told by the first part.
        if let Some(whole) = WholeCall::of(&all, is_own(domains)) {
            record.name = record.name.filter(|_| whole.from_name.is_some());
            if whole.from_number.as_ref() == Some(&who.pseudonym) {
                record.from = whole.from_number;
            }
        }
        let [from, to] = [&record.from, &record.to].map(|text| text.as_ref().map(CallText::as_str));
        run!(tx, execute(SET_CALL, tenant.uuid(), id, from, record.name, to))?;
    }
    Ok(was_in)
}

fn is_own(domains: &BTreeSet<SipDomain>) -> impl Fn(&str) -> bool {
    |domain| domains.iter().any(|own| own.as_str() == domain)
}

/// Who is named in the record of a call.
struct Named {
    from: Option<CallText>,
    name: Option<String>,
    to: Option<CallText>,
}

impl Named {
    fn leave(&mut self, who: &Stranger) -> bool {
        let (is_from, is_to) = (who.replace(&mut self.from), who.replace(&mut self.to));
        if is_from {
            self.name = None;
        }
        is_from || is_to
    }
}

/// The record of a call, and its parts by their keys.
async fn call(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<(Named, Vec<(String, CallPart)>)>, StoreError> {
    type Texts = (Option<String>, Option<String>, Option<String>);
    let Some((from, name, to)) = run!(tx, fetch_optional::<Texts>(CALL, tenant.uuid(), id))? else {
        return Ok(None);
    };
    let origin = |table| Origin { table, id };
    let text = |column: &str, text: Option<String>| {
        let text = text.map(|text| origin("call_records").text(column, &text));
        text.transpose()
    };
    let record = Named {
        from: text("from_number", from)?,
        name,
        to: text("to_number", to)?,
    };
    let rows = run!(tx, fetch_all::<(String, RawJson)>(PARTS, tenant.uuid(), id))?;
    let parts = rows.into_iter().map(|(key, told)| {
        let part = origin("call_record_parts").json("told", &told)?;
        Ok::<_, StoreError>((key, part))
    });
    Ok(Some((record, parts.collect::<Result<_, _>>()?)))
}

/// Takes what somebody wrote, and what they are called, out of a ticket that they opened or that is assigned to them; false
/// where it is not.
pub async fn empty_ticket(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
    who: Uuid,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let at = now.as_microsecond();
    Ok(run!(tx, execute(TICKET, tenant.uuid(), id, who, PLACEHOLDER, at))? == 1)
}

/// Takes what was said, and who said it, out of a comment; false where it is gone.
pub async fn empty_comment(tx: &mut Tx, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(COMMENT, tenant.uuid(), id, PLACEHOLDER))? == 1)
}

/// Whether an entry's payload is what was written; none where it has none. What somebody has made of it since is not blanked: no
/// check would find it any more.
pub async fn is_as_written(tx: &mut Tx, tenant: TenantId, id: AuditId) -> Result<Option<bool>, StoreError> {
    let row = run!(tx, fetch_optional::<AuditRow>(PAYLOAD, tenant.uuid(), id.uuid()))?;
    Ok(row.map(|row| row.stored(false).link.says_what_was_written()))
}

/// Takes what says something of a person out of the record of a deploy, of these objects; false where nothing does.
pub async fn empty_deployment(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
    objects: &[String],
) -> Result<bool, StoreError> {
    let Some((changes, findings)) = run!(
        tx,
        fetch_optional::<(RawJson, RawJson)>(DEPLOYMENT, tenant.uuid(), id)
    )?
    else {
        return Ok(false);
    };
    let origin = Origin {
        table: "deployments",
        id,
    };
    let mut changes: Vec<Change> = origin.json("changes", &changes)?;
    let mut findings: Vec<Finding> = origin.json("findings", &findings)?;
    let mut said = false;
    let own_changes = changes
        .iter_mut()
        .filter(|change| objects.iter().any(|object| change.is_of(tenant, object)));
    for change in own_changes {
        said |= change.become_impersonal();
    }
    let own_findings = findings
        .iter_mut()
        .filter(|finding| objects.iter().any(|object| finding.is_of(tenant, object)));
    for finding in own_findings {
        said |= finding.become_impersonal();
    }
    if said {
        let changes = to_json("deployments.changes", &changes)?;
        let findings = to_json("deployments.findings", &findings)?;
        run!(tx, execute(SET_DEPLOYMENT, tenant.uuid(), id, changes, findings))?;
    }
    Ok(said)
}

/// Puts something else in the place of these texts, each as a whole, in an event that waits for webhooks; false where it waits no
/// more.
pub async fn empty_event(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
    named: &[&str],
    instead: &str,
) -> Result<bool, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, i64, String)>(EVENT, tenant.uuid(), id))?;
    let mut was_named = false;
    for (webhook, number, body) in rows {
        let origin = Origin {
            table: "webhook_events",
            id,
        };
        let mut body: Value = serde_json::from_str(&body).map_err(|error| origin.corrupt("body", error))?;
        if replace(&mut body, named, instead) {
            let body = body.to_string();
            run!(tx, execute(SET_EVENT, tenant.uuid(), webhook, number, body))?;
            was_named = true;
        }
    }
    Ok(was_named)
}

/// What stands beside a number or an address and names who has it.
const BESIDE: [&str; 2] = ["name", "from_name"];

fn replace(value: &mut Value, named: &[&str], instead: &str) -> bool {
    match value {
        Value::String(text) if named.contains(&text.as_str()) => {
            instead.clone_into(text);
            true
        }
        // All of them, and not only the first one.
        Value::Array(values) => {
            let were = values.iter_mut().map(|value| replace(value, named, instead));
            were.filter(|was| *was).count() > 0
        }
        Value::Object(fields) => {
            let were = fields.values_mut().map(|value| replace(value, named, instead));
            let was = were.filter(|was| *was).count() > 0;
            if was {
                for (_, beside) in fields
                    .iter_mut()
                    .filter(|(field, _)| BESIDE.contains(&field.as_str()))
                {
                    if beside.is_string() {
                        *beside = instead.into();
                    }
                }
            }
            was
        }
        _ => false,
    }
}
