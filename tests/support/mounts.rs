//! Programs that see the disk otherwise than everybody else.

use std::path::Path;
use std::process::Command;

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
