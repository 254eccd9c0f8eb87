//! `switchyard templates`: the operator's own templates, tried before a deploy does.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Context, Failure};
use crate::daemon::{settings, templates};

/// What to do with templates.
#[derive(Subcommand)]
pub enum TemplatesCommand {
    /// Render every template with every sample tenant or mail; names every one that fails, with its line
    #[command(after_help = "Example:\n  switchyard templates check --dir ./templates")]
    Check {
        /// Where your own templates are [default: `templates.dir` of the configuration]
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

pub fn run(context: &mut Context<'_>, command: &TemplatesCommand) -> Result<(), Failure> {
    let TemplatesCommand::Check { dir } = command;
    let directory = if dir.is_some() {
        dir.clone()
    } else {
        let config = context.configured()?;
        settings::templates(&config).map_err(|refused| Failure::Settings(vec![refused]))?;
        config.templates.dir
    };
    let checked = templates::check(directory.as_deref())?;
    context.output.result(&checked, |text| {
        let rows: Vec<[&str; 2]> = checked
            .templates
            .iter()
            .map(|template| {
                let whose = if template.own { "your own" } else { "built in" };
                [template.name.as_str(), whose]
            })
            .collect();
        text.table(["TEMPLATE", "FROM"], &rows)?;
        text.line(&format!(
            "all render with each of {} sample tenants and {} sample mails",
            checked.samples, checked.mails
        ))
    })
}
