//! See `shopapi_e2e::targets::service_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shopapi_e2e::targets::service_token(bytes));
