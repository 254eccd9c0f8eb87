//! A deploy's stages as they happen: a spinner for the one that runs, a line for each that ended.

use std::io;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::Output;
use crate::domain::deployment::{Deployment, StageRecord};

/// Follows one deployment.
pub struct Stages<'a, 'b> {
    output: &'a mut Output<'b>,
    spinner: ProgressBar,
    told: usize,
    failed: io::Result<()>,
}

impl<'a, 'b> Stages<'a, 'b> {
    /// Draws only where there is a terminal.
    pub fn new(output: &'a mut Output<'b>) -> Self {
        let spinner = if output.progress {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = style {
                spinner.set_style(style);
            }
            spinner
        } else {
            ProgressBar::hidden()
        };
        Self {
            output,
            spinner,
            told: 0,
            failed: Ok(()),
        }
    }

    /// Tells what is new since the last look.
    pub fn look(&mut self, deployment: &Deployment, stages: &[StageRecord]) {
        for stage in stages
            .iter()
            .skip(self.told)
            .take_while(|stage| stage.ended_at.is_some())
        {
            self.told += 1;
            let told = self.spinner.suspend(|| self.output.tell(&line(stage)));
            if self.failed.is_ok() {
                self.failed = told;
            }
        }
        self.spinner.set_message(deployment.status.as_str());
        self.spinner.tick();
    }

    /// Clears the spinner; an error when a line could not be written.
    pub fn finish(self) -> io::Result<()> {
        self.spinner.finish_and_clear();
        self.failed
    }
}

/// `validating    ok        1.2 s  what was done`.
pub fn line(stage: &StageRecord) -> String {
    let result = stage.result.map_or("runs", |result| result.as_str());
    let took = stage
        .ended_at
        .map(|end| format!("{:.1} s", end.duration_since(stage.started_at).as_secs_f64()))
        .unwrap_or_default();
    let line = format!(
        "{:12}  {result:11}  {took:>7}  {}",
        stage.stage.as_str(),
        stage.detail
    );
    line.trim_end().to_owned()
}
