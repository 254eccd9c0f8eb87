//! Every source, every kind of problem, and the place that each problem is reported at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::keys::{Default as KeyDefault, KEYS};
use super::*;

mod secrets;

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
    assert!(loaded.config.http.bootstrap_token.is_none());
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

/// A good value for each key, other than its default.
fn sample(key: &str) -> &'static str {
    match key {
        "ami.ca_file" => "/srv/ca.pem",
        "ami.tls" => "on",
        "auth.account_failures" => "99",
        "auth.address_failures" => "98",
        "auth.failure_window_seconds" => "97",
        "auth.issuers" => "[{ kind = 'firebase', name = 'google', project = 'acme-phones' }]",
        "database.url" => "sqlite:/tmp/other.db",
        "deploy.asterisk" => "/opt/asterisk",
        "deploy.debounce_seconds" => "66",
        "deploy.keep_generations" => "77",
        "deploy.mode" => "auto",
        "deploy.lease_seconds" => "88",
        "ami.clear_secret" | "deploy.shadow" => "never",
        "http.bootstrap_token" => TOKEN,
        "http.listen" => "127.0.0.1:9999",
        "log.format" => "json",
        "log.level" => "debug,sqlx=off",
        "node.name" => "pbx7",
        "sealing.key" => "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "state.dir" => "/srv/switchyard",
        "templates.dir" => "/srv/templates",
        other => panic!("no sample for {other}"),
    }
}

/// Issuers of Firebase, as they are written.
fn issuers(issuers: &[Issuer]) -> String {
    let table = |i: &Issuer| {
        format!(
            "{{ kind = '{}', name = '{}', project = '{}' }}",
            i.kind, i.name, i.audience
        )
    };
    format!("[{}]", issuers.iter().map(table).collect::<Vec<_>>().join(", "))
}

/// What a configuration holds for a key, as text.
fn effective(config: &Config, key: &str) -> String {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let secret = |secret: &Option<SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
    match key {
        "ami.ca_file" => path(&config.ami.ca_file),
        "ami.clear_secret" => config.ami.clear_secret.to_string(),
        "ami.tls" => config.ami.tls.to_string(),
        "auth.account_failures" => config.auth.account_failures.to_string(),
        "auth.address_failures" => config.auth.address_failures.to_string(),
        "auth.failure_window_seconds" => config.auth.failure_window_seconds.to_string(),
        "auth.issuers" => issuers(&config.auth.issuers),
        "database.url" => config.database.url.expose().to_owned(),
        "deploy.asterisk" => path(&config.deploy.asterisk),
        "deploy.debounce_seconds" => config.deploy.debounce_seconds.to_string(),
        "deploy.mode" => config.deploy.mode.to_string(),
        "deploy.keep_generations" => config.deploy.keep_generations.to_string(),
        "deploy.lease_seconds" => config.deploy.lease_seconds.to_string(),
        "deploy.shadow" => config.deploy.shadow.to_string(),
        "http.bootstrap_token" => secret(&config.http.bootstrap_token),
        "http.listen" => config.http.listen.to_string(),
        "log.format" => config.log.format.to_string(),
        "log.level" => config.log.level.to_string(),
        "node.name" => config.node.name.to_string(),
        "sealing.key" => secret(&config.sealing.key),
        "state.dir" => config.state.dir.display().to_string(),
        "templates.dir" => path(&config.templates.dir),
        other => panic!("no field for {other}"),
    }
}

#[test]
fn every_key_comes_from_the_file_the_environment_or_a_secret_file() {
    let directory = TempDir::new().unwrap();
    for key in KEYS {
        let value = sample(key.name);
        let (section, name) = key.name.split_once('.').unwrap();
        let check = |source: &str, loaded: Result<Loaded, ConfigError>| {
            let loaded = loaded.unwrap_or_else(|e| panic!("{} from {source}: {e}", key.name));
            assert_eq!(
                effective(&loaded.config, key.name),
                value,
                "{} from {source}",
                key.name
            );
            let setting = loaded.settings.iter().find(|s| s.key == key.name).unwrap();
            assert_ne!(setting.from, "default", "{} from {source}", key.name);
            assert_eq!(loaded.warnings, [""; 0]);
        };
        check("file", from_text(&format!("[{section}]\n{name} = \"{value}\"\n")));
        check(
            "environment",
            Config::load(None, &environment(&[(&key.variable(), value)])),
        );
        if key.secret {
            let path = file(&directory, key.name, &format!("{value}\n"));
            let path = path.display().to_string();
            check(
                "named by file",
                from_text(&format!("[{section}]\n{name}_file = \"{path}\"\n")),
            );
            let variable = key.file_variable().unwrap();
            check(
                "named by environment",
                Config::load(None, &environment(&[(&variable, &path)])),
            );
            let credentials = directory.path().display().to_string();
            let environment = environment(&[("CREDENTIALS_DIRECTORY", &credentials)]);
            check("credential", Config::load(None, &environment));
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn the_environment_goes_before_credentials_and_these_before_the_file() {
    let directory = TempDir::new().unwrap();
    let path = file(
        &directory,
        "switchyard.toml",
        &format!("[http]\nbootstrap_token = \"{TOKEN}-file\"\n"),
    );
    file(&directory, "http.bootstrap_token", &format!("{TOKEN}-credential"));
    let credentials = directory.path().display().to_string();
    let token = |variables: &[(&str, &str)]| {
        let loaded = Config::load(Some(&path), &environment(variables)).unwrap_or_else(|e| panic!("{e}"));
        effective(&loaded.config, "http.bootstrap_token")
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
            ("SWITCHYARD_HTTP_BOOTSTRAP_TOKEN", &environment_token)
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
    "2: unknown key `smtp.host`; the nearest is `ami.tls`"
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
    "[http]\nbootstrap_token = \"short\"",
    "2: `http.bootstrap_token` must have at least 32 characters"
)]
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
    let broken = problems(from_text("[http]\nbootstrap_token = \"s3cret\n"));
    assert!(broken[0].starts_with("2: is not TOML: "), "{broken:?}");
    assert!(!broken[0].contains("s3cret"));
}

#[test]
fn keys_are_sorted_and_every_default_text_is_good() {
    assert!(KEYS.is_sorted_by_key(|key| key.name));
    let loaded = Config::load(None, &environment(&[])).unwrap_or_else(|e| panic!("{e}"));
    for key in KEYS {
        if let KeyDefault::Text(text) = key.default {
            assert_eq!(effective(&loaded.config, key.name), text);
        }
    }
}
