//! Every source, every kind of problem, and the place that each problem is reported at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::keys::{Default as KeyDefault, KEYS};
use super::*;

mod every_key;
mod mail;
mod secrets;

use every_key::{effective, needed};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

/// A private file, as an operator would make it.
fn file(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn from_text(text: &str) -> Result<Loaded, ConfigError> {
    let directory = TempDir::new().unwrap();
    let path = file(&directory, "switchyard.toml", text);
    Config::load(Some(&path), &environment(&[]))
}

/// The problems of a file as `line: text`, and of other places as `place: text`.
fn problems(loaded: Result<Loaded, ConfigError>) -> Vec<String> {
    let error = loaded.err().expect("the configuration was accepted");
    let short = |place: &str| match place.rsplit_once("switchyard.toml:") {
        Some((_, line)) => line.to_owned(),
        None => place.to_owned(),
    };
    error
        .problems()
        .iter()
        .map(|p| format!("{}: {}", short(&p.place), p.text))
        .collect()
}

#[test]
fn nothing_given_is_a_whole_configuration() {
    let loaded = Config::load(None, &environment(&[])).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        loaded.config.database.url.expose(),
        "sqlite:/var/lib/switchyard/switchyard.db"
    );
    assert_eq!(loaded.config.http.listen.to_string(), "127.0.0.1:8420");
    assert!(loaded.config.sealing.key.is_none());
    assert_eq!(loaded.config.state.dir, Path::new("/var/lib/switchyard"));
    assert_eq!(loaded.config.deploy.shadow, ShadowMode::Auto);
    assert_eq!(loaded.config.deploy.lease_seconds, 30);
    assert_eq!(loaded.config.deploy.keep_generations, 10);
    assert_eq!(loaded.config.deploy.mode, DeployMode::Manual);
    assert_eq!(loaded.config.deploy.debounce_seconds, 5);
    assert_eq!(loaded.config.log.level.as_str(), "info");
    assert_eq!(loaded.config.log.format, LogFormat::Text);
    assert_eq!(loaded.settings.len(), KEYS.len());
}

#[test]
fn the_environment_goes_before_credentials_and_these_before_the_file() {
    let directory = TempDir::new().unwrap();
    let path = file(
        &directory,
        "switchyard.toml",
        &format!("[sealing]\nkey = \"{TOKEN}-file\"\n"),
    );
    file(&directory, "sealing.key", &format!("{TOKEN}-credential"));
    let credentials = directory.path().display().to_string();
    let token = |variables: &[(&str, &str)]| {
        let loaded = Config::load(Some(&path), &environment(variables)).unwrap_or_else(|e| panic!("{e}"));
        effective(&loaded.config, "sealing.key")
    };
    let environment_token = format!("{TOKEN}-environment");
    assert_eq!(token(&[]), format!("{TOKEN}-file"));
    assert_eq!(
        token(&[("CREDENTIALS_DIRECTORY", &credentials)]),
        format!("{TOKEN}-credential")
    );
    assert_eq!(
        token(&[
            ("CREDENTIALS_DIRECTORY", &credentials),
            ("SWITCHYARD_SEALING_KEY", &environment_token)
        ]),
        environment_token
    );
}

#[rstest]
#[case(
    "\n[http]\nlisen = \"x\"",
    "3: unknown key `http.lisen`; the nearest is `http.listen`"
)]
#[case(
    "http.listen_port = 1",
    "1: unknown key `http.listen_port`; the nearest is `http.listen`"
)]
#[case(
    "[smtp]\nhost = \"x\"",
    "2: unknown key `smtp.host`; the nearest is `mail.host`"
)]
#[case("listen = 1", "1: unknown key `listen`; the nearest is `http.listen`")]
#[case("[http.tls]\nkey = 1", "1: unknown key `http.tls`; the nearest is `ami.tls`")]
#[case(
    "[log]\nlevel_file = \"/x\"",
    "2: unknown key `log.level_file`; the nearest is `log.level`"
)]
#[case(
    "[http]\nlisten = 1.5",
    "2: `http.listen` must be a text or a whole number, not float"
)]
#[case(
    "[http]\nlisten = [\"x\"]",
    "2: `http.listen` must be a text or a whole number, not array"
)]
#[case(
    "[http]\nlisten = 8420",
    "2: `http.listen` must be an IP address with a port, such as `127.0.0.1:8420` or `[::1]:8420`"
)]
#[case(
    "[deploy]\nlease_seconds = 4",
    "2: `deploy.lease_seconds` must be a whole number from 5 to 600"
)]
#[case(
    "[deploy]\nlease_seconds = -1",
    "2: `deploy.lease_seconds` must be a whole number from 5 to 600"
)]
#[case(
    "[deploy]\nkeep_generations = 0",
    "2: `deploy.keep_generations` must be a whole number from 1 to 1000"
)]
#[case(
    "[deploy]\nshadow = \"maybe\"",
    "2: `deploy.shadow` must be one of: `auto` `always` `never`"
)]
#[case(
    "[deploy]\nasterisk = \"bin/asterisk\"",
    "2: `deploy.asterisk` must be an absolute path"
)]
#[case("[state]\ndir = \"\"", "2: `state.dir` must be an absolute path")]
#[case("[log]\nformat = \"xml\"", "2: `log.format` must be one of: `text` `json`")]
#[case(
    "[node]\nname = \"a b\"",
    "2: `node.name` must have 1 to 64 letters, digits, `.`, `_` or `-`"
)]
#[case(
    "[sealing]\nkey_file = \"/no/such/file\"",
    "2: the file `/no/such/file` with `sealing.key` cannot be read: No such file or directory (os error 2)"
)]
#[case(
    "[sealing]\nkey_file = \"/dev/null\"",
    "2: the file `/dev/null` with `sealing.key` is empty; write the secret into it"
)]
#[case(
    "[sealing]\nkey_file = \"/dev/zero\"",
    "2: the file `/dev/zero` with `sealing.key` is no secret: it must hold at most 64 KiB of UTF-8 text"
)]
#[case(
    "[sealing]\nkey = \"x\"\nkey_file = \"/x\"",
    "3: `sealing.key` is given twice, as text and as file; keep one"
)]
fn a_problem_is_reported_with_its_line_and_what_to_do(#[case] text: &str, #[case] problem: &str) {
    let found: Vec<String> = problems(from_text(text))
        .into_iter()
        .map(|problem| problem.replace(", docs/configuration.md lists all", ""))
        .collect();
    assert_eq!(found, [problem]);
}

#[rstest]
#[case("inof")]
#[case("info,")]
#[case("sqlx=loud")]
#[case("=info")]
#[case("")]
fn a_misspelt_log_level_is_refused(#[case] level: &str) {
    let variables = environment(&[("SWITCHYARD_LOG_LEVEL", level)]);
    let problems = problems(Config::load(None, &variables));
    assert!(problems[0].starts_with("environment variable SWITCHYARD_LOG_LEVEL: `log.level` must be"));
}

#[test]
fn every_problem_of_every_source_is_reported_at_once() {
    let directory = TempDir::new().unwrap();
    let text = "[http]\nlisten = 1\nlisten_on = 2\n[log]\nformat = 3\n";
    let path = file(&directory, "switchyard.toml", text);
    let variables = environment(&[
        ("SWITCHYARD_STATE_DIR", "x"),
        ("SWITCHYARD_STAT_DIR", "/x"),
        ("SWITCHYARD_CONFIG", "/x"),
        ("OTHER", "x"),
    ]);
    let found = problems(Config::load(Some(&path), &variables));
    let places: Vec<&str> = found.iter().map(|p| p.split(':').next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "environment variable SWITCHYARD_STAT_DIR",
            "3",
            "2",
            "environment variable SWITCHYARD_STATE_DIR",
            "5"
        ]
    );
    assert!(found[0].contains("the nearest is `SWITCHYARD_STATE_DIR`"));
}

#[test]
fn a_broken_source_is_not_replaced_by_the_next() {
    let variables = environment(&[("SWITCHYARD_DATABASE_URL_FILE", "/no/such/file")]);
    assert_eq!(problems(Config::load(None, &variables)).len(), 1);
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_named() {
    let missing = Config::load(Some(Path::new("/no/such.toml")), &environment(&[]));
    let text = missing.err().unwrap().to_string();
    assert_eq!(
        text,
        "/no/such.toml: cannot be read: No such file or directory (os error 2)"
    );
    let broken = problems(from_text("[sealing]\nkey = \"s3cret\n"));
    assert!(broken[0].starts_with("2: is not TOML: "), "{broken:?}");
    assert!(!broken[0].contains("s3cret"));
}

#[test]
fn keys_are_sorted_and_every_default_text_is_good() {
    assert!(KEYS.is_sorted_by_key(|key| key.name));
    for key in KEYS {
        if let KeyDefault::Text(text) = key.default {
            let needed = needed(key.name).into_iter().collect();
            let loaded = Config::load(None, &needed).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(effective(&loaded.config, key.name), text);
        }
    }
}
