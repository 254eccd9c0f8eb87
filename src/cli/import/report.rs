//! What an import did, or would do, row by row.

use crate::app::pbx_import::{AsideReport, ExtensionReport, Manner, PbxImportReport, TenantReport};
use crate::cli::Failure;
use crate::cli::exit::Exit;
use crate::cli::output::Output;

/// Over each tenant's rows.
const HEAD: [&str; 3] = ["PLACE", "NUMBER", "RESULT"];

/// Writes it; what is wrong and not to be left out is the command's failure.
pub fn write(output: &mut Output<'_>, report: &PbxImportReport, manner: Manner) -> Result<(), Failure> {
    let told = output.result(report, |text| {
        for tenant in &report.tenants {
            text.line(&format!("{} ({})", tenant.domain, tenant.name))?;
            text.table(HEAD, &rows(tenant, report.imported))?;
        }
        if !report.aside.is_empty() {
            text.line("of no tenant")?;
            let rows: Vec<_> = report.aside.iter().map(left).collect();
            text.table(HEAD, &rows)?;
        }
        text.line(&summary(report, manner))
    });
    let (exit, verdict) = if report.is_all_wrong() {
        let verdict = "nothing of what was found can be brought in as it is: mend it there".to_owned();
        (Exit::InvalidInput, verdict)
    } else if report.bad == 0 || manner.skip_wrong {
        (Exit::Ok, String::new())
    } else {
        let verdict = format!(
            "{} of what was found cannot be brought in as it is; nothing was: mend it there, or leave it out with --skip-wrong",
            report.bad
        );
        (Exit::InvalidInput, verdict)
    };
    Failure::verdict(told, exit, verdict)
}

fn rows(tenant: &TenantReport, imported: bool) -> Vec<[String; 3]> {
    let place = tenant.place.clone().unwrap_or_default();
    let own = |words: String| [place.clone(), String::new(), words];
    let wrong = (!tenant.errors.is_empty()).then(|| own(format!("wrong: {}", tenant.errors)));
    let notes = tenant.notes.iter().map(|note| own(note.clone()));
    let extensions = tenant.extensions.iter().map(|extension| {
        let number = extension.number.clone().unwrap_or_default();
        [
            extension.place.clone(),
            number,
            result(extension, imported && tenant.errors.is_empty()),
        ]
    });
    let aside = tenant.aside.iter().map(left);
    wrong
        .into_iter()
        .chain(notes)
        .chain(extensions)
        .chain(aside)
        .collect()
}

fn left(aside: &AsideReport) -> [String; 3] {
    let reason = format!("left where it is: {}", aside.reason);
    [aside.place.clone(), aside.name.clone(), reason]
}

fn result(extension: &ExtensionReport, imported: bool) -> String {
    let mut words = if extension.errors.is_empty() {
        let done = if imported { "added" } else { "good" };
        vec![done.to_owned()]
    } else {
        vec![format!("wrong: {}", extension.errors)]
    };
    words.extend(extension.notes.iter().cloned());
    words.join("; ")
}

fn summary(report: &PbxImportReport, manner: Manner) -> String {
    let good = report.good;
    let wrong = if report.bad == 0 {
        String::new()
    } else {
        format!(", {} are wrong", report.bad)
    };
    match (report.imported, manner.dry_run) {
        (true, _) => format!("{good} extensions were added{wrong}; deploy to put them live"),
        (false, true) => format!("{good} extensions would be added{wrong}; nothing was changed"),
        (false, false) => format!("{good} extensions are good{wrong}; nothing was changed"),
    }
}
