//! Compiles the contracts with protox, a protobuf compiler in Rust: no `protoc` has to be installed.

use std::path::PathBuf;

const CONTRACTS: [&str; 7] = [
    "shopapi/admin/v1/admin.proto",
    "shopapi/admin/v1/tree.proto",
    "shopapi/common/v1/common.proto",
    "shopapi/inventory/v1/inventory.proto",
    "shopapi/payments/v1/payments.proto",
    "shopapi/orders/v1/orders.proto",
    "shopapi/events/v1/events.proto",
];

#[expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "this is how a build script talks with cargo"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=shopapi");
    let descriptors = protox::compile(CONTRACTS, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("descriptors.bin"),
        protox::prost::Message::encode_to_vec(&descriptors),
    )?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
