//! How a large box behaves: what a plan costs, what a whole first deploy needs, how soon the daemon is ready.
//!
//! `cargo bench --bench scale` measures all of it with a real Asterisk, the one of the PATH or of
//! `SWITCHYARD_TEST_ASTERISK`. Every part runs in a process of its own, so that none is charged with another's memory.

mod box_of_tenants;
mod memory;
mod parts;

use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Tenants of the small and of the large box; each has a hundred extensions.
const SIZES: [usize; 2] = [10, 1_000];

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        [] => everything(),
        ["make", directory, tenants] => {
            runtime.block_on(box_of_tenants::make(Path::new(directory), tenants.parse()?))
        }
        ["deploy", directory] => runtime.block_on(parts::first_deploy(Path::new(directory))),
        ["plan", directory] => runtime.block_on(parts::plan(Path::new(directory))),
        other => Err(format!("unknown part: {}", other.join(" ")).into()),
    }
}

fn everything() -> Outcome<()> {
    for tenants in SIZES {
        let directory = tempfile::tempdir()?;
        writeln!(
            stdout(),
            "a box of {} extensions",
            tenants * box_of_tenants::EXTENSIONS
        )?;
        let path = directory.path().display().to_string();
        own_process(&["make", &path, &tenants.to_string()])?;
        own_process(&["deploy", &path])?;
        own_process(&["plan", &path])?;
    }
    Ok(())
}

fn own_process(arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(std::env::current_exe()?).args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the part `{}` failed", arguments.join(" ")).into())
    }
}
