//! Pages of jobs.

pub mod api;
pub mod detail;
pub mod list;
