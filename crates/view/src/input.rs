//! Forms and queries as people type them; `control` parses them.

use serde::{Deserialize, Serialize};

/// The onboarding form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnboardingInput {
    pub team: String,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub repository: String,
    pub host_group: String,
    pub install_root: String,
    pub health_port: String,
    pub health_path: String,
    pub requests: String,
    pub errors: String,
    pub latency: String,
    pub liveness: String,
}

/// A new environment, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentInput {
    pub slug: String,
    pub name: String,
    pub purpose: String,
    pub approval: String,
}

/// An inventory to take over, as pasted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportInput {
    /// Slug of the environment.
    pub environment: String,
    /// Where it comes from: empty is the text below, `project` a path of a project, `datadog` the hosts Datadog knows.
    pub source: String,
    /// Ansible inventory, INI or YAML.
    pub inventory: String,
    /// Slug of the project.
    pub project: String,
    /// Of a file, folder or script of the project.
    pub path: String,
    /// As in Datadog's own list of hosts; empty is all.
    pub filter: String,
    /// Key of the tag that names groups; may be empty.
    pub group_by: String,
    /// Word of `domain::inventory::Absent`; empty is the default.
    pub absent: String,
    /// Digest of the difference the person looked at.
    pub seen: String,
}

/// A variable to set, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariableInput {
    /// Slug of the service it belongs to; empty for one of an environment.
    pub service: String,
    /// Slug of the environment; empty for every environment of the service.
    pub environment: String,
    /// Inventory group; empty for every host.
    pub host_group: String,
    pub name: String,
    /// Word of `domain::variable::VariableKind`.
    pub kind: String,
    /// As its kind is typed.
    pub value: String,
}

/// A variable to remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariableRemoval {
    /// Slug of the service it belongs to; empty for one of an environment.
    pub service: String,
    /// Slug of the environment, for one that belongs to no service.
    pub environment: String,
    pub variable: String,
}

/// A project to add or change, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectInput {
    pub slug: String,
    pub name: String,
    pub url: String,
    /// Empty is `main`.
    pub revision: String,
    pub folder: String,
    /// Empty is `deploy.yml`.
    pub deploy: String,
    /// Empty is `probe.yml`.
    pub probe: String,
    /// Empty is `rollback.yml`.
    pub roll_back: String,
    /// Word of `domain::project::ProjectConfig`; empty is the default.
    pub config: String,
    /// For https; secret.
    pub token: String,
    /// For ssh; secret.
    pub private_key: String,
    pub known_hosts: String,
}

/// Which playbooks a service runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaybooksInput {
    /// Slug of the service.
    pub service: String,
    /// Slug of a project, `datadog_agent`, or empty for those that install a release.
    pub playbooks: String,
}

/// How the hosts of an environment are reached, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReachInput {
    /// Slug of the environment.
    pub environment: String,
    pub user: String,
    pub port: String,
    /// `user@host:port`, separated by spaces, commas or lines.
    pub jump: String,
    /// Word of `domain::reach::HostKeyPolicy`; empty is the default.
    pub host_keys: String,
    pub known_hosts: String,
    pub certificate: String,
    pub become_method: String,
    pub become_user: String,
    /// Secret; empty leaves what is there, as for the two below.
    pub private_key: String,
    pub become_password: String,
    pub vault_password: String,
    /// Names of the secrets to forget, separated by spaces.
    pub forget: String,
}

/// The form for a new rollout, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutInput {
    /// Slug of the service.
    pub service: String,
    /// Slug of the environment.
    pub environment: String,
    pub version: String,
    /// File in the artefact folder, or https:// address.
    pub artifact: String,
    /// May stay empty for a file: it is computed then.
    pub sha256: String,
    pub commit: String,
    /// As `domain::partition::Split` reads it.
    pub split: String,
    /// One length of time, or one for each batch.
    pub bake: String,
    pub gate: String,
    /// How long a gate waits for a person; empty is 24 hours.
    pub gate_wait: String,
    /// Per cent; empty is the default.
    pub latency_tolerance: String,
    /// Percentage points; empty is the default.
    pub error_tolerance: String,
    /// As `domain::selection::Limit` reads it; empty is every host.
    pub limit: String,
    /// Tags of tasks to run alone, and to leave out; empty is every task.
    pub tags: String,
    pub skip_tags: String,
    /// As `domain::budget::FailureLimit` reads it; empty is none.
    pub failures: String,
    /// Word of `domain::budget::Beyond`; empty is the default.
    pub beyond: String,
    pub reason: String,
    /// Made when the form was shown, so that a form sent twice makes one rollout.
    pub idempotency_key: String,
}

/// A decision on a rollout, as posted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActInput {
    pub rollout: String,
    /// The decision version the person saw.
    pub decision_version: i64,
    /// 1-based; for decisions on one batch.
    pub batch: u32,
    pub reason: String,
    /// `go` or `no_go`.
    pub decision: String,
    /// `stops` or `runs`, when pausing.
    pub bake: String,
    /// How much longer to watch.
    pub extend: String,
    /// The plan the approver saw.
    pub digest: String,
    /// Names of hosts, separated by spaces or commas, when excluding some.
    pub hosts: String,
}

/// Which rollouts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutQuery {
    /// Slug of the service.
    pub service: Option<String>,
    /// Slug of the environment.
    pub environment: Option<String>,
    /// Word of the state, [`Self::OPEN`] or [`Self::WAITING`].
    pub state: Option<String>,
    pub cursor: Option<String>,
}

impl RolloutQuery {
    /// In place of a state: rollouts that have not ended.
    pub const OPEN: &str = "open";
    /// In place of a state: rollouts that go no further before a person has done something.
    pub const WAITING: &str = "waiting";
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobQuery {
    /// Slug of the service.
    pub service: Option<String>,
    /// Slug of the environment.
    pub environment: Option<String>,
    /// Word of the state, or [`Self::OPEN`].
    pub state: Option<String>,
    pub cursor: Option<String>,
}

impl JobQuery {
    /// In place of a state: jobs that have not ended.
    pub const OPEN: &str = "open";
}

/// Asks for a job to be stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CancelInput {
    pub job: String,
    pub reason: String,
}

impl ActInput {
    /// Id of the form that posted it: a page holds one of a kind for each batch.
    pub fn form(&self, kind: &str) -> String {
        let kind = if self.decision.is_empty() {
            kind
        } else {
            self.decision.as_str()
        };
        if self.batch == 0 {
            kind.to_owned()
        } else {
            format!("{kind}-{}", self.batch)
        }
    }
}

/// Keeps a person out, or lets them in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonInput {
    pub person: String,
    /// Word of `domain::person::PersonState`.
    pub state: String,
    pub reason: String,
}

/// Asks whether somebody may do something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExplainQuery {
    /// Id, e-mail address or name; empty for oneself.
    pub person: String,
    /// Word of `policy::Action`.
    pub action: String,
    /// “rollout:ID”, “service:NAME”, “environment:NAME”, “team:NAME”, or a kind alone.
    pub about: String,
}

/// Gives somebody a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantInput {
    pub person: String,
    pub role: String,
    /// Slugs of where it is held; empty is everywhere.
    pub team: String,
    pub service: String,
    pub environment: String,
    /// Days until it ends; empty is never.
    pub days: String,
    pub reason: String,
}

/// Takes a role away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndGrantInput {
    pub person: String,
    pub grant: String,
    pub reason: String,
}

/// Makes a token that acts for a person or a service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenInput {
    /// Id of whom it acts for.
    pub person: String,
    pub name: String,
    /// Word of `domain::person::TokenReach`.
    pub reach: String,
    pub days: String,
}

/// Makes a service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountInput {
    pub name: String,
    pub reason: String,
}

/// Ends a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndTokenInput {
    pub token: String,
    pub reason: String,
}

/// Ends sessions of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndSessionInput {
    pub person: String,
    /// Empty is every one but the one that asks.
    pub session: String,
}

/// Which events of the audit trail are wanted; what is empty is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    /// Kind and id of what they are about.
    pub kind: String,
    pub id: String,
    /// Name of who acted.
    pub who: String,
    /// What the action is about: `rollout`, `grant` …
    pub about: String,
    /// Days in UTC, the second one among them: `2026-11-22`.
    pub from: String,
    pub to: String,
    /// Words to be found.
    pub words: String,
    pub cursor: String,
}

impl AuditQuery {
    /// What actions are about, in the order of the menu.
    pub const ABOUT: &[&str] = &[
        "rollout",
        "batch",
        "bake",
        "job",
        "service",
        "environment",
        "inventory",
        "variable",
        "project",
        "person",
        "audit",
        "access",
        "grant",
        "session",
        "token",
        "team",
    ];

    /// Names and values of all but the cursor, as in an address.
    pub fn filters(&self) -> [(&'static str, &str); 7] {
        [
            ("kind", &self.kind),
            ("id", &self.id),
            ("who", &self.who),
            ("about", &self.about),
            ("from", &self.from),
            ("to", &self.to),
            ("words", &self.words),
        ]
    }

    /// Whether anything is left out.
    pub fn is_narrow(&self) -> bool {
        self.filters().iter().any(|(_, value)| !value.is_empty())
    }
}
