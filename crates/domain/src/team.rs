//! A team owns services.

use serde::{Deserialize, Serialize};

use crate::{
    id::TeamId,
    text::{Name, Slug},
};

/// A group of people that owns services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub id: TeamId,
    pub slug: Slug,
    pub name: Name,
}
