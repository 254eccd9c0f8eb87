//! What this area shares with the others.

#[expect(dead_code, reason = "each area looks at other sides of an Asterisk")]
#[path = "../support/ami.rs"]
pub mod ami;
#[expect(dead_code, reason = "each area needs other things of an Asterisk")]
#[path = "../support/pbx.rs"]
pub mod pbx;
