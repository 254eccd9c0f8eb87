//! The API on a real database: what holds for every route, whatever it does.

#[cfg(test)]
mod every_route;
#[cfg(test)]
mod server;
