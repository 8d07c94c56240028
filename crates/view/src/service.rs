//! Services.

use domain::{
    id::{ServiceId, TeamId},
    service::{Installation, Telemetry},
};
use serde::{Deserialize, Serialize};

use crate::{access::Allowance, page::Page, rollout::RolloutRow, variable::VariableRow};

/// One service in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    pub id: ServiceId,
    pub slug: String,
    pub name: String,
    pub team: String,
    pub description: String,
    /// Newest version that succeeded, by environment slug.
    pub versions: Vec<(String, String)>,
}

/// The list of services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceList {
    pub page: Page<ServiceRow>,
    pub may_onboard: Allowance,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    pub service: ServiceRow,
    pub repository: String,
    pub installation: Installation,
    pub telemetry: Telemetry,
    pub rollouts: Vec<RolloutRow>,
    pub variables: Vec<VariableRow>,
    /// Whose playbooks it runs: the first of one of the choices.
    pub playbooks: String,
    /// What is posted and what it is called.
    pub playbook_choices: Vec<(String, String)>,
    /// Slug and name of each environment, for variables of one.
    pub environments: Vec<(String, String)>,
    pub may_request: Allowance,
    pub may_configure: Allowance,
}

/// What the onboarding form offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingForm {
    /// Teams the person may bring a service in for.
    pub teams: Vec<TeamChoice>,
    pub may_onboard: Allowance,
}

/// A team to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamChoice {
    pub id: TeamId,
    pub slug: String,
    pub name: String,
}
