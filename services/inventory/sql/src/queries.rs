// This file was generated with `clorinde`. Do not modify.

pub mod catalogue;
pub mod keeper;
pub mod maintenance;
