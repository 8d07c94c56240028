//! People: who may come in, and what each may do.

pub mod api;
pub mod detail;
pub mod list;
mod tokens;
