//! The committed corpora, replayed: every input that a fuzzer or a person found worth keeping goes through its target again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    clippy::disallowed_macros,
    reason = "tests fail by panicking and say what they see"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use shopapi_auth::service_token::ServiceVerifier;
use shopapi_e2e::targets::{self, TARGETS};

/// Fewer would say that a corpus was lost on the way.
const INPUTS_MIN: usize = 200;
/// All of them are part of every clone.
const BYTES_MAX: u64 = 1024 * 1024;

fn corpus(target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_input_of_every_corpus_is_survived() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= INPUTS_MIN, "{name}: {} inputs", files.len());
        for file in &files {
            let bytes = std::fs::read(file).unwrap();
            let survived = catch_unwind(|| target(&bytes));
            assert!(survived.is_ok(), "{name}: {} is a finding", file.display());
        }
        println!("corpus {name}: {} inputs replayed", files.len());
    }
}

#[test]
fn the_corpora_are_small() {
    let bytes: u64 = TARGETS
        .iter()
        .flat_map(|(name, _)| corpus(name))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}

#[test]
fn the_targets_reach_what_they_are_about() {
    // What is right is taken: a target that refuses everything would find nothing.
    let order = br#"{"items":[{"sku":"TEA","quantity":1}],"payment_method":"tok_ok"}"#;
    let customer = shopapi_auth::CustomerId(uuid::Uuid::from_u128(1));
    assert!(shopapi_gateway::fuzzing::read_body(order, customer).is_some());
    assert!(targets::good_token().is_some());
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys");
    let inventory = ServiceVerifier::load("inventory", keys).unwrap();
    let caller = inventory.verify(targets::GOOD_SERVICE_TOKEN, targets::NOW_S);
    assert_eq!(caller.as_deref(), Ok("orders"));
    let inventory = "SHOPAPI_HEALTH_ADDR=127.0.0.1:9102";
    assert!(shopapi::starts_with(inventory)[5]);
}
