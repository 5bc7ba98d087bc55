//! The wire: gRPC contracts, event payloads and subjects. No logic lives here.
//!
//! The `.proto` files under `proto/shopapi/` are the contract; this crate is their Rust form. Only `services/*` depend on it:
//! actors have message types of their own, and each service translates in one place.

/// Types that several contracts share.
pub mod common {
    pub mod v1 {
        tonic::include_proto!("shopapi.common.v1");
    }
}

/// What operators do.
pub mod admin {
    pub mod v1 {
        tonic::include_proto!("shopapi.admin.v1");
    }
}

/// Stock commands and the catalogue.
pub mod inventory {
    pub mod v1 {
        tonic::include_proto!("shopapi.inventory.v1");
    }
}

/// Payment commands.
pub mod payments {
    pub mod v1 {
        tonic::include_proto!("shopapi.payments.v1");
    }
}

/// Orders as the gateway sees them.
pub mod orders {
    pub mod v1 {
        tonic::include_proto!("shopapi.orders.v1");
    }
}

/// Event payloads.
pub mod events {
    pub mod v1 {
        tonic::include_proto!("shopapi.events.v1");
    }
}

pub mod headers;
pub mod subjects;

/// The encoded `FileDescriptorSet` of every contract: for reflection and for tests that walk all methods.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
