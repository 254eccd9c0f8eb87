//! The driver and the private PBX against a real Asterisk.

#[cfg(test)]
mod announced;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod clicks;
#[cfg(test)]
mod erased;
#[cfg(test)]
mod files;
#[cfg(test)]
mod forwards;
#[cfg(test)]
mod left;
#[cfg(test)]
mod live;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod mail_deleted;
#[cfg(test)]
mod mail_turns;
#[cfg(test)]
mod names;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod office;
#[cfg(test)]
mod played;
#[cfg(test)]
mod private_pbx;
#[cfg(test)]
mod purged;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod records;
#[cfg(test)]
mod shadow;
#[cfg(test)]
mod spoken;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod verify;
