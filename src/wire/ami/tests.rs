//! Clients and links against a scripted manager, and against none.

mod answers;
mod faults;
mod keep_alive;
mod login;
mod peer;
mod supervised;
