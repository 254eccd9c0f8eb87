//! The API on a real database: what holds for every route, whatever it does.

#[cfg(test)]
mod access;
mod docs;
#[cfg(test)]
mod every_route;
#[cfg(test)]
mod people;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tenants;
