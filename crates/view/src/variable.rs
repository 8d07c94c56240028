//! Variables that playbooks are given.

use domain::{
    Timestamp,
    id::VariableId,
    variable::{Variable, VariableKind},
};
use serde::{Deserialize, Serialize};

/// One variable in the list of a service or an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableRow {
    pub id: VariableId,
    pub name: String,
    pub kind: VariableKind,
    /// As it is typed; `None` for a secret.
    pub value: Option<String>,
    /// Slug of the one environment it holds for; empty for every one.
    pub environment: String,
    /// Inventory group it holds for; empty for every host.
    pub host_group: String,
    pub set_by: String,
    #[serde(with = "domain::moment")]
    pub set_at: Timestamp,
}

/// What a plan gives to playbooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenVariable {
    pub name: String,
    /// As it is typed; `None` for a secret.
    pub value: Option<String>,
    /// Inventory group it holds for; empty for every host.
    pub host_group: String,
    /// Whose it is: “service”, “service here”, “environment”.
    pub from: String,
}

impl From<&Variable> for GivenVariable {
    fn from(variable: &Variable) -> Self {
        let place = &variable.place;
        let from = match (place.service, place.environment) {
            (Some(_), None) => "service",
            (Some(_), Some(_)) => "service here",
            (None, _) => "environment",
        };
        let value = variable.value.as_ref();
        Self {
            name: variable.name.to_string(),
            value: value.map(|value| variable.kind.write(value)),
            host_group: place.group.clone().map(String::from).unwrap_or_default(),
            from: from.to_owned(),
        }
    }
}
