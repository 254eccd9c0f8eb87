//! How a box behaves: what one change costs beside the reload it needs, what hints cost, what a large box takes, and how
//! many requests the API answers over it.
//!
//! `scripts/bench` runs the parts and says what each measures. They need an `asterisk`, the one of the PATH or of
//! `SWITCHYARD_TEST_ASTERISK`. What is charged with memory runs in a process of its own.

mod box_of_tenants;
mod connection;
mod daemon;
mod databases;
mod dialplan;
mod erase;
mod export;
mod first_deploy;
mod large_box;
mod live_calls;
mod load;
mod memory;
mod old_log;
mod one_change;
mod others;
mod pbx;
mod plan;
mod purge;
mod recordings;
mod times;
mod unasked;

use std::error::Error;
use std::path::Path;
use std::process::Command;

use switchyard::daemon::memory::keep_pages_small;

use self::box_of_tenants::Shadow;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // As the program does.
    keep_pages_small();
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["change", tenants] => runtime.block_on(one_change::measure(tenants.parse()?)),
        ["dialplan", tenants] => runtime.block_on(dialplan::measure(tenants.parse()?)),
        ["first", tenants] => runtime.block_on(first_deploy::by_daemon(tenants.parse()?, Shadow::Always)),
        ["first-unshadowed", tenants] => {
            runtime.block_on(first_deploy::by_daemon(tenants.parse()?, Shadow::Never))
        }
        ["box", tenants] => large_box::measure(tenants),
        ["load", tenants] => load::measure(tenants),
        ["purge", database, calls, entries] => purge::measure(database, calls, entries),
        // Its steps.
        ["old-log", directory, entries] => {
            runtime.block_on(old_log::make(Path::new(directory), entries.parse()?))
        }
        ["old-calls", directory, calls] => {
            runtime.block_on(purge::fill(Path::new(directory), calls.parse()?))
        }
        ["purged", directory] => runtime.block_on(purge::purged(Path::new(directory))),
        ["erase", calls] => erase::measure(calls),
        // Its step.
        ["erased", directory] => runtime.block_on(erase::erased(Path::new(directory))),
        ["export", calls] => export::measure(calls),
        // Its step.
        ["exported", directory] => runtime.block_on(export::exported(Path::new(directory))),
        ["recordings", files] => recordings::measure(files),
        // Its step.
        ["recordings-searched", directory] => runtime.block_on(recordings::searched(Path::new(directory))),
        ["calls"] => live_calls::measure(),
        // Its step.
        ["calls-followed", directory] => runtime.block_on(live_calls::followed(Path::new(directory))),
        // The steps of the load.
        ["people", directory] => runtime.block_on(load::people(Path::new(directory))),
        ["asked", directory] => runtime.block_on(load::asked(Path::new(directory))),
        // The steps of a large box.
        ["make", directory, tenants] => {
            runtime.block_on(box_of_tenants::make(Path::new(directory), tenants.parse()?))
        }
        ["deploy-unasked", directory] => runtime.block_on(first_deploy::unasked(Path::new(directory))),
        ["redeploy-unasked", directory] => runtime.block_on(first_deploy::another(Path::new(directory))),
        ["plan", directory] => runtime.block_on(plan::measure(Path::new(directory))),
        ["start", directory] => runtime.block_on(daemon::measure_start(Path::new(directory))),
        other => Err(format!("unknown part: {}", other.join(" ")).into()),
    }
}

/// Runs a step in a process of its own, so that it is not charged with another's memory.
fn own_process(arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(std::env::current_exe()?).args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the step `{}` failed", arguments.join(" ")).into())
    }
}
