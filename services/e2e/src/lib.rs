//! Tests over whole services are in `tests/e2e/`; here is only what they share with the fuzzers in `fuzz/`.

pub mod targets;
