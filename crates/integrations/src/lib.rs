//! One module per outside tool, and the supervisor under which the tools that change hosts run.

pub mod ansible;
mod checked;
pub mod datadog;
pub mod file;
pub mod git;
pub mod output;
mod process;
pub use process::{clear_left_behind, scratch};
pub mod supervisor;
pub mod tail;
