//! Pages of projects.

pub mod api;
pub mod list;
