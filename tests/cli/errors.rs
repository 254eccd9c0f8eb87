//! What is wrong with the configuration or the arguments is told before anything is done.

use super::host::{ACME, Host};

#[test]
fn a_wrong_configuration_is_invalid_input_for_every_command() {
    let mut host = Host::ready();
    host.set("SWITCHYARD_LOG_LEVEL", "loud");
    for command in [
        &["serve"][..],
        &["db", "status"],
        &["tenant", "list"],
        &["deploy", "apply", "--tenant", ACME],
    ] {
        assert!(
            host.refused(4, command).contains("SWITCHYARD_LOG_LEVEL"),
            "{command:?}"
        );
    }
}

#[test]
fn wrong_usage_and_wrong_values_are_told_apart() {
    let host = Host::with_tenant();
    for usage in [
        &["deploy", "plan"][..],
        &["deploy", "plan", "--tenant", ACME, "--instance", "pbx1"],
        &["tenant", "add", "--name", "Acme"],
        &[
            "extension",
            "add",
            "--tenant",
            ACME,
            "--number",
            "1001",
            "--name",
            "A",
            "--voicemail-email",
            "a@b.example",
        ],
        &["instance", "add", "--ami-secret", "hunter2"],
    ] {
        assert!(host.refused(2, usage).contains("Usage: switchyard"), "{usage:?}");
    }
    for (argument, value) in [
        ("--tenant", &["deploy", "plan", "--tenant", "x"][..]),
        (
            "--reason",
            &["deploy", "apply", "--tenant", ACME, "--reason", "a\nb"],
        ),
        ("<ID>", &["deploy", "show", "last"]),
        ("--ami-port", &["instance", "add", "--ami-port", "0"]),
    ] {
        assert!(host.refused(4, value).contains(argument), "{value:?}");
    }
}

#[test]
fn a_sealing_key_that_is_another_one_is_said() {
    let mut host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    let other = host.path("other.key").display().to_string();
    host.ok(&["key", "generate", "--out", &other]);
    host.set("SWITCHYARD_SEALING_KEY_FILE", &other);
    let said = host.refused(1, &["deploy", "plan", "--tenant", ACME]);
    assert!(said.contains("cannot be opened"), "{said}");
    assert!(
        said.contains("the key of `sealing.key_file` is not the one that"),
        "{said}"
    );
    assert!(!said.contains("the database failed"), "{said}");

    host.unset("SWITCHYARD_SEALING_KEY_FILE");
    for needs in [
        &["deploy", "plan", "--tenant", ACME][..],
        &[
            "extension",
            "add",
            "--tenant",
            ACME,
            "--number",
            "1002",
            "--name",
            "Bob",
        ],
    ] {
        let said = host.refused(1, needs);
        assert!(said.contains("no sealing key is configured"), "{said}");
        assert!(said.contains("`sealing.key_file`"), "{said}");
        assert!(!said.contains("the database failed"), "{said}");
    }
}
