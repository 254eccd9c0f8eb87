//! Changes, findings and diffs as people read them.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

use crate::app::error::AppError;
use crate::app::{operator, tenants};
use crate::cli::Failure;
use crate::cli::output::{ADDED, CHANGED, REMOVED, Text};
use crate::daemon::parts::Parts;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::finding::{Finding, Severity};
use crate::domain::ids::TenantId;
use crate::domain::sip_domain::SipDomain;

/// Nobody reads more; JSON has all of them.
const MOST_CHANGES: usize = 200;

/// The domains of tenants by their ids.
pub type Domains = BTreeMap<TenantId, SipDomain>;

/// The domains of all tenants that changes or findings are about; those of deleted ones are gone.
pub async fn domains(parts: &Parts, changes: &[Change], findings: &[Finding]) -> Result<Domains, Failure> {
    let named = changes.iter().take(MOST_CHANGES).map(|change| change.tenant_id);
    let mut domains = Domains::new();
    for id in named
        .chain(findings.iter().map(|finding| finding.tenant_id))
        .flatten()
    {
        if domains.contains_key(&id) {
            continue;
        }
        match tenants::find(&parts.app, &operator::platform(None), id).await {
            Ok(tenant) => {
                domains.insert(id, tenant.domain);
            }
            Err(AppError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(domains)
}

/// Object by object, with the fields of changed ones.
pub fn changes(text: &mut Text<'_>, changes: &[Change], domains: &Domains) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    text.heading("CHANGES")?;
    for change in changes.iter().take(MOST_CHANGES) {
        let (sign, style) = match change.kind {
            ChangeKind::Added => ('+', ADDED),
            ChangeKind::Changed => ('~', CHANGED),
            ChangeKind::Removed => ('-', REMOVED),
        };
        let of = of_tenant(change.tenant_id, Some(&change.object), domains);
        text.styled(&format!("{sign} {}{of}", change.object), style)?;
        for field in &change.fields {
            let (before, after) = (value(&field.before), value(&field.after));
            text.line(&format!("    {}: {before} -> {after}", field.field))?;
        }
    }
    if changes.len() > MOST_CHANGES {
        let more = changes.len() - MOST_CHANGES;
        text.line(&format!("and {more} more; `--json` lists all"))?;
    }
    Ok(())
}

/// What was noticed, the worst first, with the PBX's own words.
pub fn findings(text: &mut Text<'_>, findings: &[Finding], domains: &Domains) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    text.heading("FINDINGS")?;
    let mut worst_first: Vec<&Finding> = findings.iter().collect();
    worst_first.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in worst_first {
        let style = match finding.severity {
            Severity::Error => REMOVED,
            Severity::Warning => CHANGED,
            Severity::Info => clap::builder::styling::Style::new(),
        };
        let object = finding
            .object
            .as_ref()
            .map(|object| format!(" {object}"))
            .unwrap_or_default();
        let of = of_tenant(finding.tenant_id, finding.object.as_deref(), domains);
        text.styled(
            &format!("{} {}{object}{of}", finding.severity, finding.code),
            style,
        )?;
        text.line(&format!("    {}", finding.message))?;
        for line in finding.quote.iter().flat_map(|quote| quote.lines()) {
            text.line(&format!("    > {line}"))?;
        }
    }
    Ok(())
}

/// A unified diff, its lines in colours.
pub fn diff(text: &mut Text<'_>, diff: &str) -> io::Result<()> {
    for line in diff.lines() {
        match line.as_bytes().first() {
            Some(b'+') => text.styled(line, ADDED)?,
            Some(b'-') => text.styled(line, REMOVED)?,
            _ => text.line(line)?,
        }
    }
    Ok(())
}

/// ` of acme.example.com`, where the object does not name it already.
fn of_tenant(id: Option<TenantId>, object: Option<&str>, domains: &Domains) -> String {
    let Some(id) = id else { return String::new() };
    let name = domains
        .get(&id)
        .map_or_else(|| id.to_string(), ToString::to_string);
    match object {
        Some(object) if object.starts_with("tenant ") => String::new(),
        _ => format!(" of {name}"),
    }
}

/// A text without quotes, nothing as a dash.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(self::value).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
