//! The API on a real database: what holds for every route, whatever it does.

#[cfg(test)]
mod docs;
#[cfg(test)]
mod every_route;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod table;
