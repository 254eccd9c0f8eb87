//! How much memory a process needs.

use std::io;

/// A line of a process's status, in kB.
pub fn memory(pid: u32, name: &str) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path)?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kilobytes.ok_or_else(|| io::Error::other(format!("{path} tells no {name}")))
}
