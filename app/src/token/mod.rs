//! Tokens of the API.

pub mod api;
pub mod list;
