//! One module per outside tool, and the supervisor under which the tools that change hosts run.

pub mod ansible;
mod checked;
pub mod datadog;
mod file;
pub mod git;
mod process;
pub mod supervisor;
pub mod tail;
