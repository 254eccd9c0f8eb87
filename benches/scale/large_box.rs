//! A large box: made, deployed for the first time, planned, changed, and a daemon started on it.

use std::io::{Write as _, stdout};

use super::box_of_tenants::EXTENSIONS;
use super::pbx::open_directory;
use super::{Outcome, own_process};

pub fn measure(tenants: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let count: usize = tenants.parse()?;
    writeln!(stdout(), "a box of {} extensions", count * EXTENSIONS)?;
    let path = directory.path().display().to_string();
    own_process(&["make", &path, tenants])?;
    own_process(&["deploy-unasked", &path])?;
    own_process(&["start", &path])?;
    own_process(&["plan", &path])?;
    own_process(&["redeploy-unasked", &path])
}
