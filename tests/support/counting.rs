//! The system's allocator, counting for the threads that ask for it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How often memory was asked for.
pub static COUNT: AtomicU64 = AtomicU64::new(0);
/// Bytes that are held.
pub static HELD: AtomicI64 = AtomicI64::new(0);

thread_local! {
    /// Whether this thread counts.
    pub static COUNTED: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(allocations: u64, bytes: usize, freed: usize) {
    if COUNTED.get() {
        COUNT.fetch_add(allocations, Ordering::Relaxed);
        let change = i64::try_from(bytes).unwrap_or(0) - i64::try_from(freed).unwrap_or(0);
        HELD.fetch_add(change, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
