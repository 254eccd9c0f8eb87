//! `switchyard audit export`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;
use tempfile::NamedTempFile;

use super::spreadsheet::Spreadsheet;
use crate::app::views::AuditEntryView;
use crate::app::{audit_log, operator};
use crate::cli::exit::Exit;
use crate::cli::output::Form;
use crate::cli::{Context, Failure, lookup};
use crate::daemon::parts::Parts;
use crate::domain::audit::{AuditHead, AuditRecord};
use crate::domain::audit_query::{AuditFilter, AuditWord};
use crate::domain::ids::TenantId;
use crate::domain::moment::Moment;
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "The head of the log is shown beside: with `--out` as the result, otherwise on standard error.\n\n\
    Example:\n  switchyard audit export --format csv --from 2026-11-01T00:00:00Z --out november.csv";

/// Which entries, and where they go.
#[derive(Args)]
pub struct Export {
    /// How they are written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// A new file that only its owner can read [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only those of this tenant, by SIP domain
    #[arg(long, value_name = "DOMAIN", conflicts_with = "tenant_id")]
    tenant: Option<SipDomain>,
    /// Only those of this tenant, which may be gone, by id
    #[arg(long, value_name = "ID")]
    tenant_id: Option<TenantId>,
    /// Only those of this actor, by id, or by the name as it was then
    #[arg(long, value_name = "NAME|ID")]
    actor: Option<String>,
    /// Only this action, such as `extension.create`
    #[arg(long)]
    action: Option<AuditWord>,
    /// Only this kind of target, such as `extension`
    #[arg(long, value_name = "KIND")]
    resource: Option<AuditWord>,
    /// From this time on, such as `2026-11-20T10:00:00Z`
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
}

/// How entries are written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object a line, as the API shows an entry
    Jsonl,
    /// For spreadsheets
    Csv,
}

pub fn run(context: &mut Context<'_>, wanted: Export) -> Result<(), Failure> {
    let filter = AuditFilter {
        actor: wanted.actor,
        action: wanted.action,
        resource: wanted.resource,
        ..AuditFilter::default()
    };
    let filter = filter
        .within(wanted.from, wanted.to)
        .map_err(|errors| Failure::input(&errors))?;
    context.with_parts(async |context, parts| {
        let tenant = match &wanted.tenant {
            Some(domain) => Some(lookup::tenant(parts, domain).await?.id),
            None => wanted.tenant_id,
        };
        let Some(path) = &wanted.out else {
            let mut out = BufWriter::new(&mut *context.output.out);
            let written = write(parts, tenant, &filter, wanted.format, &mut out).await?;
            out.flush()?;
            drop(out);
            return tell_beside(context, &written);
        };
        let written = into_file(parts, tenant, &filter, wanted.format, path).await?;
        context.output.result(&written, |text| {
            text.line(&format!("{} holds {}", path.display(), written.text()))
        })
    })
}

/// How much was written, of a log of which head.
#[derive(Serialize)]
struct Written {
    entries: u64,
    head: Option<AuditHead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl Written {
    fn text(&self) -> String {
        let head = match &self.head {
            Some(head) => format!("head {} {}", head.number, head.digest),
            None => "the head is gone".to_owned(),
        };
        format!("{} entries; {head}", self.entries)
    }
}

/// Standard output holds the entries and nothing else.
fn tell_beside(context: &mut Context<'_>, written: &Written) -> Result<(), Failure> {
    let err = &mut context.output.err;
    match context.output.form {
        Form::Json => writeln!(err, "{}", json!(written))?,
        Form::Text => writeln!(err, "{}", written.text())?,
    }
    Ok(())
}

/// Written aside and then named, so that there is never half an export; temporary files are the owner's alone.
async fn into_file(
    parts: &Parts,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    format: Format,
    path: &Path,
) -> Result<Written, Failure> {
    let taken = || {
        let path = path.display();
        Failure::ended(
            Exit::Conflict,
            format!("{path} is there already; name another file"),
        )
    };
    if path.try_exists().unwrap_or(false) {
        return Err(taken());
    }
    let failed = |source| Failure::Write {
        path: path.display().to_string(),
        source,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let written = write(parts, tenant, filter, format, &mut out).await?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path)
        .map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => taken(),
            _ => failed(refused.error),
        })?;
    Ok(Written {
        file: Some(path.display().to_string()),
        ..written
    })
}

async fn write(
    parts: &Parts,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    format: Format,
    out: &mut dyn Write,
) -> Result<Written, Failure> {
    let mut entries = 0;
    let caller = operator::platform(None);
    let head = match format {
        Format::Jsonl => {
            let take = |record: AuditRecord| -> Result<(), Failure> {
                entries += 1;
                serde_json::to_writer(&mut *out, &AuditEntryView::of_platform(record))?;
                Ok(out.write_all(b"\n")?)
            };
            audit_log::export(&parts.app, &caller, tenant, filter, take).await?
        }
        Format::Csv => {
            let mut sheet = Spreadsheet::begin(out)?;
            let take = |record: AuditRecord| -> Result<(), Failure> {
                entries += 1;
                Ok(sheet.row(&record)?)
            };
            let head = audit_log::export(&parts.app, &caller, tenant, filter, take).await?;
            sheet.end()?;
            head
        }
    };
    Ok(Written {
        entries,
        head,
        file: None,
    })
}
