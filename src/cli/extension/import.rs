//! `switchyard extension import`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressIterator as _};

use crate::app::extension_import::{ImportReport, RowReport, import};
use crate::app::{extension_csv, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure, lookup};
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "The first row names the columns, as fields are named in the API: number and name, and any of \
    status, secret, caller_id.name, caller_id.number, voicemail.enabled, voicemail.pin, voicemail.email, forward.always, \
    forward.busy, forward.no_answer, ring_time, recording, max_contacts, codecs (parted by blanks), transport, \
    outbound_class. Secrets that are not given are generated.\n\nExample:\n  switchyard extension import \
    --tenant acme.example.com phones.csv --dry-run";

/// Fewer rows are through before anybody could look at a bar.
const WORTH_A_BAR: usize = 500;

/// A file of extensions.
#[derive(Args)]
pub struct Import {
    /// Whose they become, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// The CSV file; `-` reads standard input
    file: PathBuf,
    /// Only report what would happen
    #[arg(long)]
    dry_run: bool,
}

pub fn run(context: &mut Context<'_>, wanted: &Import) -> Result<(), Failure> {
    let path = if wanted.file == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        &wanted.file
    };
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|source| Failure::Open {
        path: shown.clone(),
        source,
    })?;
    let rows = extension_csv::read(file).map_err(|source| Failure::Csv { path: shown, source })?;
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &wanted.tenant).await?;
        let bar = if context.output.progress && rows.len() >= WORTH_A_BAR {
            ProgressBar::new(rows.len().try_into().unwrap_or(u64::MAX))
        } else {
            ProgressBar::hidden()
        };
        let rows = rows.into_iter().progress_with(bar.clone());
        let caller = operator::in_tenant(&tenant, None);
        let report = import(&parts.app, &caller, rows, wanted.dry_run, None).await;
        bar.finish_and_clear();
        let report = report?.into_inner();
        let told = context.output.result(&report, |text| {
            let rows: Vec<[String; 3]> = report.rows.iter().map(|row| cells(row, &report)).collect();
            text.table(["LINE", "NUMBER", "RESULT"], &rows)?;
            if report.bad == 0 {
                text.line(&summary(&report, wanted.dry_run))?;
            }
            Ok(())
        });
        let exit = if report.bad == 0 {
            Exit::Ok
        } else {
            Exit::InvalidInput
        };
        let verdict = format!(
            "{} of {} rows are wrong; nothing was imported",
            report.bad,
            report.rows.len()
        );
        Failure::verdict(told, exit, verdict)
    })
}

fn cells(row: &RowReport, report: &ImportReport) -> [String; 3] {
    let errors = row.errors.to_string();
    let result = match (errors.is_empty(), report.imported) {
        (true, true) => "added".to_owned(),
        (true, false) => "good".to_owned(),
        (false, _) => errors,
    };
    [
        row.line.to_string(),
        row.number.clone().unwrap_or_default(),
        result,
    ]
}

fn summary(report: &ImportReport, dry_run: bool) -> String {
    match (report.good, dry_run) {
        (0, _) => "the file has no extensions".to_owned(),
        (good, true) => format!("{good} extensions would be added; nothing was changed"),
        (good, false) => format!("{good} extensions were added; deploy the tenant to put them live"),
    }
}
