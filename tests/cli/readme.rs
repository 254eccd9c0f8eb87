//! The way in that the README shows, typed as it stands there with its directories below a temporary one.

use std::process::Command;

use super::host::Host;
use super::support::stock::{asterisk_group, copy, modules, stock};

/// The commands from the user on, up to the first that needs a running Asterisk.
fn block() -> String {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Running it\n").unwrap();
    let block = section.split("```\n").nth(1).unwrap();
    let (before, rest) = block.split_once("switchyard deploy apply").unwrap();
    assert!(rest.contains("\nswitchyard serve\n"));
    before.to_owned()
}

#[test]
fn the_commands_of_the_readme_make_all_that_they_need() {
    let host = Host::bare();
    for directory in ["etc", "var/lib", "asterisk"] {
        std::fs::create_dir_all(host.path(directory)).unwrap();
    }
    let place = |name: &str| host.path(name).display().to_string();
    copy(&stock(), &host.path("asterisk"));
    let install = format!(
        "switchyard pbx install pbx1 --asterisk-dir {} --asterisk-group {} --modules-dir {}",
        place("asterisk"),
        asterisk_group(),
        modules().display()
    );
    let mut script = String::from("set -eu\n");
    for line in block().lines() {
        // Nobody is added to the host of the tests, and all files are of whoever runs them.
        if line.starts_with("useradd ") {
            assert!(line.ends_with(" switchyard"), "{line}");
            continue;
        }
        let line = line
            .replace("-o root -g switchyard ", "")
            .replace("-o switchyard -g switchyard ", "")
            .replace("/etc/switchyard", &place("etc/switchyard"))
            .replace("/var/lib/switchyard", &place("var/lib/switchyard"))
            .replace("switchyard pbx install pbx1", &install)
            // None runs here.
            .replace("--reload", "");
        script.push_str(&line);
        script.push('\n');
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_switchyard"));
    let path = std::env::var("PATH").unwrap();
    let typed = Command::new("sh")
        .args(["-c", &script])
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env("SWITCHYARD_CONFIG", place("etc/switchyard/switchyard.toml"))
        .env("SWITCHYARD_STATE_DIR", place("var/lib/switchyard"))
        .env(
            "SWITCHYARD_DATABASE_URL",
            format!("sqlite:{}", place("var/lib/switchyard/switchyard.db")),
        )
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success(), "{said}");
    assert_eq!(said, "", "and nothing is warned of");
    let out = String::from_utf8_lossy(&typed.stdout);
    assert!(out.contains("Reception") || out.contains("1001"), "{out}");
}
