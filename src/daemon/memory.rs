//! Where memory comes from, for the daemon and for whatever is linked with it: tests and benches have the same.

use mimalloc::MiMalloc;
use rustix::thread::disable_transparent_huge_pages;

/// Rows are made in the thread of their connection and dropped in another. With the C library's allocator that took half of
/// the time of a request for a page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Has this process's memory counted in small pages from now on. Where the system hands out huge ones unasked, two megabytes
/// stay in use for as long as a single row of them does: a first deploy of 100,000 extensions took 74 to 83 MB at most, and 44
/// to 46 with this.
pub fn keep_pages_small() {
    // An old kernel does not know the wish, and all works without.
    let _ = disable_transparent_huge_pages(true);
}
