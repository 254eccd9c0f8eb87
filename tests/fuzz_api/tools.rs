//! The programs that these tests need, which `scripts/test` installs.

use std::process::{Command, Output};

/// A program that is named by a variable of the environment.
pub fn program(variable: &str) -> Command {
    let path = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} does not name the program; scripts/test sets it"));
    Command::new(path)
}

/// Runs a program to its end; it has to find nothing wrong.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    assert!(status.success(), "{status}\n{text}");
    text
}
