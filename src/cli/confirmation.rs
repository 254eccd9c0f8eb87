//! What cannot be undone is confirmed by typing a name, or by `--yes`.

use std::io;

use super::exit::Exit;
use super::{Context, Failure};

/// What is to be typed: the name itself with `yes`, else what comes in on standard input after it was said what goes.
pub fn given(context: &mut Context<'_>, yes: bool, name: &str, what_goes: &str) -> Result<String, Failure> {
    if yes {
        return Ok(name.to_owned());
    }
    context
        .output
        .warn(&format!("{what_goes}; type {name} to go on"))?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Something else was typed.
pub fn missing(name: &str) -> Failure {
    Failure::ended(
        Exit::Conflict,
        format!("not confirmed: type {name}, letter by letter, or give `--yes`; nothing was changed"),
    )
}
