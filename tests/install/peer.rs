//! A PostgreSQL that knows its users by the system: root installs, and the database is opened as the user of the data.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rstest::rstest;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::host::Host;
use super::own::Own;
use super::support::pbx::open_directory;
use super::support::wait::until;

/// An ordinary user whom the system knows, by name and ids: nobody where root runs the tests, else whoever does.
fn user() -> (String, u32, u32) {
    let wanted = if geteuid().is_root() {
        65534
    } else {
        geteuid().as_raw()
    };
    let list = fs::read_to_string("/etc/passwd").unwrap();
    let lines = list.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = lines.filter(|fields| fields[2] == wanted.to_string());
    let fields = found.next().expect("this user stands in /etc/passwd");
    (fields[0].to_owned(), wanted, fields[3].parse().unwrap())
}

/// A server without a port, where each user of the system is the user of that name and nobody else; gone with the value.
struct PeerServer {
    directory: TempDir,
    process: Child,
}

impl PeerServer {
    async fn start() -> Self {
        let (name, uid, gid) = user();
        let directory = open_directory();
        chown(directory.path(), Some(uid), Some(gid)).unwrap();
        let initdb = Self::program("initdb", directory.path())
            .args([
                "--pgdata=data",
                "--auth-local=peer",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", &format!("--username={name}")])
            .output()
            .unwrap();
        assert!(
            initdb.status.success(),
            "{}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        let sockets = format!("unix_socket_directories={}", directory.path().display());
        let process = Self::program("postgres", directory.path())
            .args([
                "-D",
                "data",
                "-c",
                "listen_addresses=",
                "-c",
                &sockets,
                "-c",
                "fsync=off",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { directory, process };
        until("the server takes connections", || {
            let pid = fs::read_to_string(server.directory.path().join("data/postmaster.pid"));
            pid.is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.starts_with("ready")))
        })
        .await;
        server
    }

    /// One of the newest server that is installed, run as that user; it ends with the test.
    fn program(name: &str, directory: &Path) -> Command {
        let versions =
            fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed; ./scripts/test does");
        let programs = versions.map(|entry| entry.unwrap().path().join("bin").join(name));
        let mut programs: Vec<PathBuf> = programs.filter(|program| program.exists()).collect();
        programs.sort();
        let mut command = Command::new("setpriv");
        if geteuid().is_root() {
            let (_, uid, gid) = user();
            command.args([
                &format!("--reuid={uid}"),
                &format!("--regid={gid}"),
                "--clear-groups",
            ]);
        }
        command.arg("--pdeathsig=QUIT").arg(programs.last().unwrap());
        command.current_dir(directory).stdin(Stdio::null());
        command
    }

    /// Its database `postgres` as a user of it, in either way to write that.
    fn url(&self, user: &str, in_front: bool) -> String {
        let directory = self.directory.path().display().to_string();
        if in_front {
            return format!("postgres://{user}@{}/postgres", directory.replace('/', "%2F"));
        }
        format!("postgres:///postgres?host={directory}&user={user}")
    }
}

impl Drop for PeerServer {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        let _ = kill_process(pid, Signal::QUIT);
        let _ = self.process.wait();
    }
}

/// A host whose data is that user's.
fn host(url: &str) -> Host {
    let (_, uid, gid) = user();
    let mut host = Host::bare();
    host.set("SWITCHYARD_DATABASE_URL", url);
    fs::create_dir(host.path("state")).unwrap();
    if geteuid().is_root() {
        fs::set_permissions(host.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        chown(host.path("state"), Some(uid), Some(gid)).unwrap();
    }
    host.ok(&["db", "migrate"]);
    let key = host.path("sealing.key").display().to_string();
    host.ok(&["key", "generate", "--out", &key]);
    host.set("SWITCHYARD_SEALING_KEY_FILE", &key);
    host
}

#[rstest]
#[tokio::test]
async fn root_installs_and_the_database_knows_the_user_of_the_data(#[values(true, false)] in_front: bool) {
    let server = PeerServer::start().await;
    let (name, ..) = user();
    let own = Own::stock_on(host(&server.url(&name, in_front)));
    let before = own.content();
    let installed = own.run(&own.install(&[]));
    assert_eq!((installed.code, installed.err.as_str()), (0, ""), "{installed:?}");
    assert_eq!(own.host.json(&["instance", "list"])["data"][0]["name"], "pbx1");
    let again = own.run(&own.install(&["--emergency-number", "115"]));
    assert_eq!((again.code, again.err.as_str()), (0, ""), "{again:?}");
    let removed = own.host.run(&["pbx", "remove", "pbx1"]);
    assert_eq!((removed.code, removed.err.as_str()), (0, ""), "{removed:?}");
    assert!(own.content() == before, "something was left");
}

#[tokio::test]
async fn who_is_not_the_user_that_the_url_names_is_refused_and_nothing_is_touched() {
    let server = PeerServer::start().await;
    let mut own = Own::stock_on(host(&server.url(&user().0, true)));
    own.host
        .set("SWITCHYARD_DATABASE_URL", &server.url("somebody", true));
    let before = own.content();
    let refused = own.run(&own.install(&[]));
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    let words = "Peer authentication failed for user \"somebody\"";
    assert!(refused.err.contains(words), "{refused:?}");
    assert!(own.content() == before, "something was touched");
}
