//! The demo as people and programs meet it: the built binary, a real Asterisk, real SIP.

#[cfg(test)]
mod again;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod ready;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
