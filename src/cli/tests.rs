//! Commands as a shell would call them: what they write, where, and how they end.

mod examples;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::*;

struct Ended {
    exit: Exit,
    out: String,
    err: String,
}

fn shell(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let console = Console {
        out: &mut out,
        err: &mut err,
        colour: false,
        error_colour: false,
        progress: false,
    };
    let arguments = ["switchyard"].iter().chain(arguments).map(OsString::from);
    let exit = run(arguments, &variables.iter().copied().collect(), console);
    Ended {
        exit,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

#[test]
fn config_check_shows_what_is_in_effect_and_why() {
    let ended = shell(&["config", "check"], &[("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:9")]);
    assert_eq!((ended.exit, ended.err.as_str()), (Exit::Ok, ""));
    let line = ended
        .out
        .lines()
        .find(|line| line.starts_with("http.listen "))
        .unwrap();
    assert!(line.contains("127.0.0.1:9 ") && line.ends_with("environment variable SWITCHYARD_HTTP_LISTEN"));
}

#[test]
fn config_check_in_json_is_one_value() {
    let ended = shell(&["--json", "config", "check"], &[]);
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["settings"][0]["key"], "ami.ca_file");
    assert_eq!(ended.out.lines().count(), 1);
}

#[test]
fn config_check_names_every_problem() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.toml");
    fs::write(&path, "[http]\nlisen = 1\n[log]\nlevel = \"loud\"\n").unwrap();
    let file = path.display().to_string();
    let ended = shell(&["config", "check", "--config", &file], &[]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::InvalidInput, ""));
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("error: {file}:2: unknown key `http.lisen`")));
    assert!(lines[1].starts_with(&format!("error: {file}:4: `log.level` must be")));
}

#[test]
fn config_check_finds_what_a_part_would_refuse() {
    let ended = shell(
        &["config", "check", "--json"],
        &[("SWITCHYARD_SEALING_KEY", "s3cret")],
    );
    assert_eq!(ended.exit, Exit::InvalidInput);
    let value: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(
        (&value["error"]["exit"], &value["error"]["code"]),
        (&4.into(), &"invalid_input".into())
    );
    assert!(
        value["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("`sealing.key`: ")
    );
    assert!(!ended.err.contains("s3cret"));
}

#[test]
fn warnings_do_not_disturb_a_result() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sealing.key");
    fs::write(&path, "a".repeat(64)).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let file = path.display().to_string();
    let ended = shell(
        &["config", "check", "--json"],
        &[("SWITCHYARD_SEALING_KEY_FILE", &file)],
    );
    assert_eq!(ended.exit, Exit::Ok);
    assert!(ended.err.starts_with(&format!("warning: {file}: ")));
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn key_generate_makes_a_key_that_the_configuration_takes() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("sealing.key").display().to_string();
    let made = shell(&["key", "generate", "--out", &file], &[]);
    assert_eq!((made.exit, made.err.as_str()), (Exit::Ok, ""));
    assert!(!made.out.contains(fs::read_to_string(&file).unwrap().trim()));
    let check = shell(&["config", "check"], &[("SWITCHYARD_SEALING_KEY_FILE", &file)]);
    assert_eq!(check.exit, Exit::Ok, "{}", check.err);
    let again = shell(&["key", "generate", "--out", &file], &[]);
    assert_eq!(again.exit, Exit::Conflict);
    assert!(again.err.contains("is there already"));
}

#[test]
fn wrong_arguments_are_explained_on_standard_error() {
    for arguments in [
        &["config"][..],
        &["nonsense"],
        &["key", "generate"],
        &["config", "check", "--colour"],
    ] {
        let ended = shell(arguments, &[]);
        assert_eq!(
            (ended.exit, ended.out.as_str()),
            (Exit::Usage, ""),
            "{arguments:?}"
        );
        assert!(ended.err.contains("Usage: switchyard"), "{}", ended.err);
    }
}

#[test]
fn help_and_version_are_results() {
    for arguments in [&["--help"][..], &["help", "config"], &["--version"]] {
        let ended = shell(arguments, &[]);
        assert_eq!((ended.exit, ended.err.as_str()), (Exit::Ok, ""), "{arguments:?}");
        assert!(!ended.out.is_empty());
    }
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    assert!(!shell(&["config", "check"], &[]).out.contains('\u{1b}'));
    assert!(
        shell(&["config", "check", "--color", "always"], &[])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !shell(&["config", "check", "--color", "always", "--json"], &[])
            .out
            .contains('\u{1b}')
    );
}

/// A reader that has gone, or a disk that is full.
struct Refuses(io::ErrorKind);

impl Write for Refuses {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure_but_a_full_disk_is() {
    for (kind, exit) in [
        (io::ErrorKind::BrokenPipe, Exit::Ok),
        (io::ErrorKind::StorageFull, Exit::Failure),
    ] {
        for json in [&["--json"][..], &[]] {
            let mut err = Vec::new();
            let console = Console {
                out: &mut Refuses(kind),
                err: &mut err,
                colour: false,
                error_colour: false,
                progress: false,
            };
            let arguments = ["switchyard", "config", "check"]
                .iter()
                .chain(json)
                .map(OsString::from);
            assert_eq!(run(arguments, &Environment::default(), console), exit);
        }
    }
}

#[test]
fn every_way_to_end_has_a_code_of_its_own() {
    let codes = [
        Exit::Ok,
        Exit::Failure,
        Exit::Usage,
        Exit::NotFound,
        Exit::InvalidInput,
        Exit::Conflict,
        Exit::DeployRejected,
        Exit::DeployRolledBack,
        Exit::DeployFailed,
        Exit::Unreachable,
        Exit::DeployPartial,
        Exit::DeploySuperseded,
        Exit::DeployPending,
    ]
    .map(Exit::code);
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn the_command_tree_is_consistent() {
    <Arguments as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn a_wrong_value_is_invalid_input_and_names_its_argument() {
    let ended = shell(&["deploy", "plan", "--tenant", "x"], &[]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::InvalidInput, ""));
    assert!(ended.err.contains("--tenant"), "{}", ended.err);
}

#[test]
fn wrong_arguments_are_json_for_programs() {
    for (arguments, exit) in [
        (&["--json", "nonsense"][..], 2),
        (&["deploy", "plan", "--tenant", "x", "--json"], 4),
    ] {
        let ended = shell(arguments, &[]);
        let value: Value = serde_json::from_str(&ended.err).unwrap();
        assert_eq!(value["error"]["exit"], exit);
        let message = value["error"]["message"].as_str().unwrap();
        assert!(
            !message.starts_with("error:") && !message.contains('\u{1b}'),
            "{message}"
        );
    }
}
