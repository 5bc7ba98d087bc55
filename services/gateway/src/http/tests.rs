//! The whole router against fake services: every bad input, and every answer of the services.

mod accounts_api;
mod bad_input;
mod orders_api;
mod shop_api;
mod sockets;
mod support;
