//! The deploy engine through the use cases, on both databases, with a real Asterisk.

#[cfg(test)]
mod drivers;
#[cfg(test)]
mod served;
#[cfg(test)]
mod smallest;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod world;
