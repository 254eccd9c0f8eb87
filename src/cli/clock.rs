//! `switchyard clock`: what this host's clock shows, what is believed of it, and saying that it is right.

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::{Context, Failure};
use crate::app::operator;
use crate::app::trusted_time::{self, Clock};
use crate::domain::trusted_time::HeldBack;

const BELIEVE: &str = "What is kept for days is removed by a clock that is right. One that was put forward by more than 30 days, and \
    one that no daemon has looked at for so long, are not believed until then. Look at a calendar first: what goes does not come back.\n\n\
    Example:\n  switchyard clock believe --date 2026-11-30";

/// What to do with the clock.
#[derive(Subcommand)]
pub enum ClockCommand {
    /// Show what this host's clock shows, and by which time it is decided what is old
    #[command(after_help = "Example:\n  switchyard clock show")]
    Show,
    /// Say that this host's clock is right, so that what is kept for days grows old by it
    #[command(after_help = BELIEVE)]
    Believe {
        /// The date of today in UTC, such as `2026-11-30`; refused where the clock shows another one
        #[arg(long)]
        date: Date,
    },
}

pub fn run(context: &mut Context<'_>, command: &ClockCommand) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let clock = match command {
            ClockCommand::Show => trusted_time::look(&parts.app, &caller).await?,
            ClockCommand::Believe { date } => trusted_time::believe(&parts.app, &caller, *date).await?,
        };
        let shown = Shown::from(clock);
        context.output.result(&shown, |text| {
            text.line(&format!("this host's clock shows {}", shown.clock))?;
            text.line(&shown.believed())
        })
    })
}

/// The clock as it is shown.
#[derive(Serialize)]
struct Shown {
    clock: Timestamp,
    time: Timestamp,
    held_back_until: Option<Timestamp>,
    needs_confirmation: bool,
    is_unreadable: bool,
}

impl From<Clock> for Shown {
    fn from(clock: Clock) -> Self {
        let held_back = clock.known.held_back;
        Self {
            clock: clock.wall,
            time: clock.known.time,
            held_back_until: held_back.and_then(|held| held.until),
            needs_confirmation: held_back.is_some_and(HeldBack::is_leap),
            is_unreadable: clock.is_unreadable,
        }
    }
}

impl Shown {
    fn believed(&self) -> String {
        let time = self.time;
        match self.held_back_until {
            _ if self.is_unreadable => "nothing is old: what was noted of it cannot be read; `switchyard clock believe --date` begins anew"
                .to_owned(),
            _ if time <= Timestamp::UNIX_EPOCH => "nothing is old: no daemon has looked at it so far".to_owned(),
            _ if self.needs_confirmation => format!(
                "what is old is decided by {time} until somebody says that the clock is right: `switchyard clock believe --date`"
            ),
            Some(until) => format!(
                "what is old is decided by {time}; by the clock from {until} on, if a daemon stays up"
            ),
            None => format!("what is old is decided by {time}"),
        }
    }
}
