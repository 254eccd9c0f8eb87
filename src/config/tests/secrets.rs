//! Secrets are warned of where everybody can read them, and never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::{TOKEN, environment, file};
use crate::config::Config;

#[test]
fn secrets_that_everybody_can_read_are_warned_of() {
    let directory = TempDir::new().unwrap();
    let secret = file(&directory, "token", TOKEN);
    let text = format!(
        "[sealing]\nkey_file = \"{}\"\n[database]\nurl = \"sqlite:/x\"",
        secret.display()
    );
    let path = file(&directory, "switchyard.toml", &text);
    for public in [&secret, &path] {
        fs::set_permissions(public, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let loaded = Config::load(Some(&path), &environment(&[])).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(
        loaded
            .warnings
            .iter()
            .all(|w| w.contains("can be read by everybody; `chmod o= "))
    );
}

#[test]
fn settings_never_show_a_secret() {
    let variables = environment(&[
        ("SWITCHYARD_SEALING_KEY", TOKEN),
        ("SWITCHYARD_DATABASE_URL", "postgres://ann:s3cret@db.example/s"),
    ]);
    let loaded = Config::load(None, &variables).unwrap_or_else(|e| panic!("{e}"));
    let shown = format!("{:?}", loaded.settings);
    assert!(!shown.contains(TOKEN) && !shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("postgres://…@db.example/s") && shown.contains("(hidden)"));
}
