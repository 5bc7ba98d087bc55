//! Tests over whole services: `tests/e2e/`. Nothing else lives here.
