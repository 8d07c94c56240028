//! Pages of jobs.

pub mod api;
pub mod detail;
pub mod foreseen;
pub mod list;
