//! How much memory and processor time a process needs.

use std::io;
use std::time::Duration;

/// A line of a process's status, in kB.
pub fn memory(pid: u32, name: &str) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path)?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kilobytes.ok_or_else(|| io::Error::other(format!("{path} tells no {name}")))
}

/// What a process has used of the processor, by itself and by the system for it.
pub fn processor_time(pid: u32) -> io::Result<Duration> {
    /// Of Linux, for whoever looks from outside.
    const TICKS_PER_SECOND: u64 = 100;
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path)?;
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    // Behind the name the first is the third of all; these are the 14th and the 15th.
    let ticks = |place: usize| fields.split(' ').nth(place - 3)?.parse::<u64>().ok();
    let ticks = ticks(14).zip(ticks(15)).map(|(own, systems)| own + systems);
    let ticks = ticks.ok_or_else(|| io::Error::other(format!("{path} tells no times")))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}
