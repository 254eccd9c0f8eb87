//! The store's contract: each test runs on SQLite and on PostgreSQL and expects the same of both.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod deployments;
#[cfg(test)]
mod extensions;
#[cfg(test)]
mod generations;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod revisions;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod transactions;
