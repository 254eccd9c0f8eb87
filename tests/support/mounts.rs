//! Programs that see the disk otherwise than everybody else.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::pbx::open_directory;

/// The program, in mounts of its own that a script has made before: it finds its directory as `$DIR`, and ends with
/// `exec "$@"`.
pub fn apart(program: &Command, script: &str, directory: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear();
    command.env("DIR", directory);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

/// From now on such a program finds a directory read-only, wherever it stands.
pub fn make_read_only(pid: u32, directory: &Path) {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
    command.args(["sh", "-c", script]).arg(directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Names the small disk to the test that was started on it.
const DISK: &str = "SWITCHYARD_TEST_SMALL_DISK";

/// In a mount namespace of its own, as who the test is: `$DISK` becomes the small disk.
const AS_ROOT: &str = "mount -t tmpfs -o size=24m,mode=0755 tmpfs \"$DISK\" && exec \"$@\"";
const AS_A_USER: &str = "mount -t tmpfs -o size=24m,mode=0755 tmpfs \"$DISK\"
    exec unshare --user --map-user=\"$WHO\" --map-group=\"$WHO\" \"$@\"";

/// The small disk that this test was started on; `None` outside of it, once the test has run and passed there.
pub fn small_disk() -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let disk = open_directory();
    let mut command = Command::new("unshare");
    let who = rustix::process::geteuid();
    if !who.is_root() {
        command.arg("--map-root-user");
    }
    let script = if who.is_root() { AS_ROOT } else { AS_A_USER };
    let again = std::env::current_exe().unwrap();
    let output = command
        .args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"])
        .arg(again)
        .args(["--exact", &name, "--nocapture"])
        .env("DISK", disk.path())
        .env("WHO", who.as_raw().to_string())
        .env(DISK, disk.path())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{name}: {out}\n{err}"
    );
    None
}

/// Takes all that is left of it, in a file that can be removed again.
pub fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("fill");
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=4k"])
        .arg(format!("of={}", path.display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&filled.stderr);
    assert!(told.contains("No space left"), "{told}");
    path
}
