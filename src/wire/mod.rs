//! Wire protocols of the PBXs: bytes in, typed messages out, nothing of our domain.

pub mod ami;
pub mod esl;
mod fields;
mod link;
#[cfg(test)]
mod stage;
