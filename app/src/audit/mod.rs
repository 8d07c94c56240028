//! Pages of the audit trail.

pub mod api;
pub mod list;
