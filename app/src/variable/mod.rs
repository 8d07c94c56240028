//! Variables, on the pages of services and environments.

pub mod api;
pub mod section;
