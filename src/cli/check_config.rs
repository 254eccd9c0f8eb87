//! `switchyard config check`: everything that could be wrong with the configuration, before the daemon finds it.

use serde::Serialize;

use super::{Context, Failure};
use crate::config::Setting;
use crate::daemon::{identity, settings};

#[derive(Serialize)]
struct Checked {
    settings: Vec<Setting>,
    warnings: Vec<String>,
}

pub fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let loaded = context.load()?;
    // What root may read says nothing about what the daemon may.
    if settings::database_url(&loaded.config).is_ok() {
        identity::take(&loaded.config)?;
    }
    let refused = settings::check(&loaded.config);
    if !refused.is_empty() {
        return Err(Failure::Settings(refused));
    }
    let checked = Checked {
        settings: loaded.settings,
        warnings: loaded.warnings,
    };
    context.output.result(&checked, |text| {
        let rows: Vec<_> = checked
            .settings
            .iter()
            .map(|s| [s.key, s.value.as_str(), s.from.as_str()])
            .collect();
        text.table(["KEY", "VALUE", "FROM"], &rows)
    })
}
