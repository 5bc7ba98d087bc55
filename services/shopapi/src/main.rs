//! See the library: it is the whole program, so that tests reach its parts.

use std::process::ExitCode;

/// mimalloc: the services allocate many small messages on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shopapi::main()
}
