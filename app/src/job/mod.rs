//! Pages of jobs.

pub mod api;
mod browser;
pub mod detail;
pub mod foreseen;
pub mod list;
mod output;
mod search;
mod tasks;
mod times;
