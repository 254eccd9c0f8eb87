//! Debian's sample configuration of Asterisk, as a host of an operator's own has it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::pbx::program;

/// The group that an operator's Asterisk runs with.
pub fn asterisk_group() -> u32 {
    if geteuid().is_root() {
        65534
    } else {
        rustix::process::getegid().as_raw()
    }
}

/// Debian's sample configuration: beside the unpacked program, or where the package puts it.
pub fn stock() -> PathBuf {
    let unpacked = program().parent().unwrap().join("../root/etc/asterisk");
    if unpacked.is_dir() {
        unpacked
    } else {
        PathBuf::from("/etc/asterisk")
    }
}

/// Where its modules lie.
pub fn modules() -> PathBuf {
    let unpacked = program().parent().unwrap().join("../root/usr/lib");
    let library = if unpacked.is_dir() {
        unpacked
    } else {
        PathBuf::from("/usr/lib")
    };
    fs::read_dir(library)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("asterisk/modules"))
        .find(|path| path.is_dir())
        .expect("Asterisk's modules are where Debian has them")
        .canonicalize()
        .unwrap()
}

/// Copies all that is in a directory.
pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        }
    }
}
