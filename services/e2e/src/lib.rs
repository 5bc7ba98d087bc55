//! Tests over whole services: see `tests/e2e/`. The library part holds what those tests share.
