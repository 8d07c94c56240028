//! Pages of rollouts.

pub mod actions;
pub mod api;
pub mod detail;
pub mod list;
pub mod new;
pub mod trouble;
