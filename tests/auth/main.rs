//! Who may do what, on a real database.

#[cfg(test)]
mod tenants;
