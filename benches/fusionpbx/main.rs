//! How fast a FusionPBX is: its first deploy, one extension that becomes live, and a plan with nothing to do.
//!
//! `cargo bench --bench fusionpbx -- TENANTS` measures a box of so many tenants with 100 extensions each, on the tables and
//! the simulated FreeSWITCH of the tests. It needs a PostgreSQL at `SWITCHYARD_TEST_POSTGRES_URL`, and its database of
//! FusionPBX has none but the primary keys, as FusionPBX makes them.

#![cfg(test)]

#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../../tests/support/freeswitch/mod.rs"]
mod freeswitch;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../../tests/support/fusionpbx/mod.rs"]
mod fusionpbx;
mod measures;
#[path = "../../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "the area of scale uses all of it")]
#[path = "../scale/times.rs"]
mod times;
#[expect(dead_code, reason = "the area of FusionPBX uses all of it")]
#[path = "../../tests/fusionpbx/world.rs"]
mod world;

fn main() {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|one| one != "--bench");
    let tenants = arguments.next().map_or(100, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measures::all(tenants));
}
