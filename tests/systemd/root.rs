//! A root directory with the service's files at the places where an operator puts them, and systemd's tools on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Where each file goes.
pub const FILES: [(&str, &str); 3] = [
    ("switchyard.service", "etc/systemd/system/switchyard.service"),
    ("switchyard.sysusers.conf", "usr/lib/sysusers.d/switchyard.conf"),
    ("switchyard.tmpfiles.conf", "usr/lib/tmpfiles.d/switchyard.conf"),
];

/// One of the committed files.
pub fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

/// A staged root.
pub struct Root {
    directory: TempDir,
}

impl Root {
    /// With the files, and without the program.
    pub fn staged() -> Self {
        let root = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for (name, place) in FILES {
            root.put(place, fs::read(committed(name)).unwrap());
        }
        root
    }

    pub fn path(&self, place: &str) -> PathBuf {
        self.directory.path().join(place)
    }

    pub fn put(&self, place: &str, content: impl AsRef<[u8]>) {
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs one of systemd's tools on it.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Output {
        let root = format!("--root={}", self.directory.path().display());
        let mut words = vec!["10", tool, &root];
        words.extend(arguments);
        ended(tool, Command::new("timeout").args(words))
    }

    /// The same as root, or as what looks like it to an ordinary user.
    pub fn run_as_root(&self, tool: &str, arguments: &[&str]) -> Output {
        let root = format!("--root={}", self.directory.path().display());
        let mut words = vec!["10"];
        if !is_root() {
            words.extend(["unshare", "--map-root-user", "--"]);
        }
        words.extend([tool, &root]);
        words.extend(arguments);
        ended(tool, Command::new("timeout").args(words))
    }
}

/// Whether root runs the tests.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a tool, which must be there.
pub fn ended(tool: &str, command: &mut Command) -> Output {
    let missing = format!("{tool} is missing; run ./scripts/test, which installs Debian's package `systemd`");
    let output = command.output().unwrap();
    // What `timeout` says of a program that it does not find.
    assert_ne!(output.status.code(), Some(127), "{missing}");
    output
}

/// Everything that a tool said.
pub fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}
