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
    /// What its hosts were last seen to run: by environment, what most of them run first.
    pub runs: Vec<RunsOn>,
}

/// How many hosts of an environment run a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsOn {
    /// Slug of the environment.
    pub environment: String,
    pub version: String,
    pub hosts: u32,
}

impl ServiceRow {
    /// Each environment with what runs in it, as one reads it: “1.4.1 on 5, 1.4.0 on 1”. Always with the number of hosts:
    /// there may be others that nobody asked yet.
    pub fn runs_in(&self) -> Vec<(String, String)> {
        self.runs
            .chunk_by(|one, next| one.environment == next.environment)
            .map(|runs| {
                let versions: Vec<_> = runs
                    .iter()
                    .map(|on| format!("{} on {}", on.version, on.hosts))
                    .collect();
                (runs[0].environment.clone(), versions.join(", "))
            })
            .collect()
    }
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
