//! The help of every command ends in an example, and every example is a command.

use clap::{Command, CommandFactory as _};

use super::super::args::Arguments;
use super::*;

fn leaves(command: &Command, found: &mut Vec<Command>) {
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .collect();
    if inner.is_empty() {
        found.push(command.clone());
    }
    for inner in inner {
        leaves(inner, found);
    }
}

/// Words as a shell parts them, which knows single quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_command_has_an_example_that_is_one() {
    let mut tree = Arguments::command();
    tree.build();
    let mut all = Vec::new();
    leaves(&tree, &mut all);
    assert!(all.len() >= 19, "{}", all.len());
    for command in all {
        let name = command.get_bin_name().unwrap();
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (_, example) = help
            .split_once("Example:\n  ")
            .unwrap_or_else(|| panic!("`{name}` has no example"));
        assert!(example.starts_with(name), "{name}: {example}");
        if let Err(error) = Arguments::try_parse_from(words(example)) {
            panic!("{name}: {error}");
        }
    }
}

/// Names a field of an extension by the argument that sets it, so that an error points at what was typed.
#[test]
fn every_field_of_an_extension_leads_to_its_argument() {
    let tree = Arguments::command();
    let add = tree
        .find_subcommand("extension")
        .unwrap()
        .find_subcommand("add")
        .unwrap();
    let text = "number,name,status,caller_id.name,caller_id.number,voicemail.enabled,voicemail.email,forward.always,\
        forward.busy,forward.no_answer,ring_time,recording,max_contacts,codecs,transport,outbound_class";
    for field in text.split(',') {
        let argument = failure::argument_of(field);
        let known = add.get_arguments().any(|known| {
            known
                .get_long()
                .is_some_and(|long| argument == format!("--{long}"))
        });
        assert!(known, "{field}: {argument}");
    }
}
