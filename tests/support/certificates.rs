//! Certificates made for a test, by another program than the one that checks them.

use std::path::Path;
use std::process::{Command, Stdio};

const KEY: [&str; 8] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "30",
    "-batch",
];

fn openssl(directory: &Path, words: &[&str]) {
    let ended = Command::new("openssl")
        .args(["req", "-x509"])
        .args(words)
        .args(KEY)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed; ./scripts/test does");
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// An authority: `NAME.key` and `NAME.pem`.
pub fn authority(directory: &Path, name: &str) {
    let (key, certificate, subject) = (
        format!("{name}.key"),
        format!("{name}.pem"),
        format!("/CN={name}"),
    );
    openssl(
        directory,
        &["-keyout", &key, "-out", &certificate, "-subj", &subject],
    );
}

/// A certificate for a place such as `IP:127.0.0.1`, signed by the authority `ca`: `NAME.key` and `NAME.pem`.
pub fn certificate(directory: &Path, name: &str, place: &str) {
    let (key, certificate, subject, place) = (
        format!("{name}.key"),
        format!("{name}.pem"),
        format!("/CN={name}"),
        format!("subjectAltName={place}"),
    );
    let mut words = vec![
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    words.extend(["-subj", &subject, "-addext", &place]);
    words.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl(directory, &words);
}
