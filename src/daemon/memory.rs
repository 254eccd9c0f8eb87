//! Where memory comes from, for the daemon and for whatever is linked with it: tests and benches have the same.

use mimalloc::MiMalloc;

/// Rows are made in the thread of their connection and dropped in another. With the C library's allocator that took half of
/// the time of a request for a page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
