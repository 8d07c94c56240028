//! Pages of delivery numbers.

pub mod api;
pub mod page;
