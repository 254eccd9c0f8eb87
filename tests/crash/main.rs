//! The real daemon, killed in every stage and at any time, with a real Asterisk: the next one mends what it left.

#[cfg(test)]
mod disk;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod random;
#[cfg(test)]
mod read_only;
#[cfg(test)]
mod shadow;
#[cfg(test)]
mod small_disk;
#[cfg(test)]
mod stages;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
