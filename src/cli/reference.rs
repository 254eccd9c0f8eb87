//! The list of commands, made from the command tree for the reference page.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::args::Arguments;

/// The table as it stands in `docs/cli.md`: every command with its arguments.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| command | what it does |\n|---|---|\n");
    let mut tree = Arguments::command();
    tree.build();
    rows(&tree, &mut table);
    table
}

fn rows(command: &Command, table: &mut String) {
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .collect();
    for inner in &inner {
        rows(inner, table);
    }
    if inner.is_empty() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let mut line = command.get_bin_name().unwrap_or_default().to_owned();
        let is_own = |argument: &&Arg| {
            !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version")
        };
        for argument in command.get_arguments().filter(is_own) {
            // Clap shows a positional argument that need not be given, and one that can be given often, by itself.
            let optional = !argument.is_required_set() && !argument.is_positional();
            let often = matches!(argument.get_action(), ArgAction::Append);
            let (open, close) = if optional { ("[", "]") } else { ("", "") };
            let more = if often { "…" } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(line, " {open}{argument}{close}{more}");
        }
        let _ = writeln!(table, "| `{line}` | {about} |");
    }
}
