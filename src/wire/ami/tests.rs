//! Clients and links against a scripted manager, and against none.

mod answers;
mod faults;
mod peer;
mod supervised;
