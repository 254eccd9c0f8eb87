//! `switchyard audit verify`.

use std::io;

use clap::Args;

use crate::app::{audit_log, operator};
use crate::cli::exit::Exit;
use crate::cli::output::Text;
use crate::cli::{Context, Failure};
use crate::domain::audit::AuditHead;
use crate::domain::audit_check::{AuditFinding, AuditReport};
use crate::domain::digest::Digest;

pub const EXAMPLE: &str = "Keep the head that it shows somewhere else: whoever can write to the database can write the whole \
    log anew, and only a head from before tells.\n\nExample:\n  switchyard audit verify --at 4711 --head \
    9b2f0c1d5e8a47639b2f0c1d5e8a47639b2f0c1d5e8a47639b2f0c1d5e8a4763";

/// What the log must still hold.
#[derive(Args)]
pub struct Verify {
    /// The digest of a head that was kept: the log must still hold that entry
    #[arg(long, value_name = "DIGEST", requires = "at")]
    head: Option<Digest>,
    /// The number of that head
    #[arg(long, value_name = "NUMBER", requires = "head")]
    at: Option<i64>,
}

pub fn run(context: &mut Context<'_>, wanted: &Verify) -> Result<(), Failure> {
    let kept = wanted.at.zip(wanted.head);
    let kept = kept.map(|(number, digest)| AuditHead { number, digest });
    context.with_parts(async |context, parts| {
        let report = audit_log::verify(&parts.app, &operator::platform(None), kept).await?;
        let told = context.output.result(&report, |text| write(text, &report));
        let exit = if report.ok { Exit::Ok } else { Exit::AuditAltered };
        Failure::verdict(told, exit, "the audit log is not as it was written")
    })
}

fn write(text: &mut Text<'_>, report: &AuditReport) -> io::Result<()> {
    if !report.findings.is_empty() {
        let rows: Vec<[String; 4]> = report.findings.iter().map(row).collect();
        text.table(["ENTRY", "FAULT", "WHAT", "ID"], &rows)?;
    }
    if report.further_findings > 0 {
        text.line(&format!("and {} findings more", report.further_findings))?;
    }
    text.line(&format!(
        "{} entries{}, {} of them with a blanked payload",
        report.entries,
        if report.ok { ", each as it was written" } else { "" },
        report.blanked
    ))?;
    match &report.head {
        Some(head) => text.line(&format!("head {} {}", head.number, head.digest)),
        None => text.line("the head is gone"),
    }
}

fn row(finding: &AuditFinding) -> [String; 4] {
    let entry = if finding.entry == finding.last {
        finding.entry.to_string()
    } else {
        format!("{} to {}", finding.entry, finding.last)
    };
    let id = finding.id.map(|id| id.to_string()).unwrap_or_default();
    [entry, finding.code.to_string(), finding.detail.to_owned(), id]
}
