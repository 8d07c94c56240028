//! Pages of environments.

pub mod api;
pub mod detail;
pub mod list;
pub mod reach;
