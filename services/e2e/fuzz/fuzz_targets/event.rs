//! See `shopapi_e2e::targets::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shopapi_e2e::targets::event(bytes));
