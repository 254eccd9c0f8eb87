//! How much memory this process needs.

use std::io;

/// A line of this process's status, in kB.
pub fn memory(name: &str) -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kilobytes.ok_or_else(|| io::Error::other(format!("/proc/self/status tells no {name}")))
}
