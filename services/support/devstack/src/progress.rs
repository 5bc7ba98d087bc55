//! How a long start tells the person waiting what it is doing.

/// Receives one short line per step ("starting PostgreSQL").
pub trait Progress: Send + Sync {
    /// A step begins.
    fn step(&self, text: &str);
}

/// Says nothing: for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
}
