//! The whole router against fake services: every bad input, and every answer of the services.

mod bad_input;
mod orders_api;
mod shop_api;
mod sockets;
mod support;
