//! `switchyard key generate`: a new sealing key in a new file.

use std::path::Path;

use serde_json::json;

use super::{Context, Failure};
use crate::daemon::key_file;

pub fn run(context: &mut Context<'_>, out: &Path) -> Result<(), Failure> {
    key_file::create(out)?;
    let path = out.display().to_string();
    context.output.result(&json!({"key_file": path}), |text| {
        text.line(&format!(
            "{path} holds a new sealing key. Keep a copy in a safe place: what it seals cannot be read without it."
        ))
    })
}
