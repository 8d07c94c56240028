//! A plan: intent with a digest. Approval binds to the digest.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    host::Host,
    id::{EnvironmentId, HostId, ServiceId},
    project::PlannedPlaybooks,
    release::Release,
    selection::Selection,
    service::Installation,
    strategy::Strategy,
    text::{FieldError, HostName, Sha256, Slug, listed},
    variable::{self, Variable},
};

/// A host as the plan resolved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    pub id: HostId,
    pub name: HostName,
    /// [`Host::digest`] when the plan was made: what was approved is what runs, on each host too.
    pub digest: Sha256,
    /// Digest of what it was given when the plan was made: its groups decide that, and may change. `None` is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Sha256>,
}

/// An ordered group of hosts that change together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBatch {
    /// 1-based.
    pub number: u32,
    pub hosts: Vec<PlannedHost>,
    pub bake_seconds: u64,
}

/// Everything that decides what will happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub service: ServiceId,
    pub service_slug: Slug,
    pub environment: EnvironmentId,
    pub environment_slug: Slug,
    pub release: Release,
    pub installation: Installation,
    /// Digest of the playbooks, roles and plug-ins that will run.
    pub automation: Sha256,
    #[serde(default, skip_serializing_if = "PlannedPlaybooks::is_release")]
    pub playbooks: PlannedPlaybooks,
    pub strategy: Strategy,
    #[serde(default, skip_serializing_if = "Selection::is_everything")]
    pub selection: Selection,
    /// What the playbooks are given besides what they are always given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    pub batches: Vec<PlannedBatch>,
}

/// What is asked for, before hosts are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub service: ServiceId,
    pub service_slug: Slug,
    pub environment: EnvironmentId,
    pub environment_slug: Slug,
    pub release: Release,
    pub installation: Installation,
    pub automation: Sha256,
    pub playbooks: PlannedPlaybooks,
    pub strategy: Strategy,
    pub selection: Selection,
    pub variables: Vec<Variable>,
}

impl Plan {
    /// Resolves an intent against the hosts as they are now.
    pub fn resolve(intent: Intent, hosts: &[Host]) -> Result<Self, FieldError> {
        let planned = |host: Host| {
            Ok(PlannedHost {
                id: host.id,
                digest: host.digest(),
                given: given(&intent.playbooks, &intent.variables, &host)?,
                name: host.name,
            })
        };
        let hosts = intent.selection.limit.choose(hosts)?;
        let batches = intent.strategy.split.cut(&hosts)?;
        let batches = batches
            .into_iter()
            .zip(&intent.strategy.bake_seconds)
            .zip(1..)
            .map(|((hosts, bake_seconds), number)| {
                Ok(PlannedBatch {
                    number,
                    hosts: hosts.into_iter().map(planned).collect::<Result<_, _>>()?,
                    bake_seconds: *bake_seconds,
                })
            })
            .collect::<Result<_, FieldError>>()?;
        let Intent {
            service,
            service_slug,
            environment,
            environment_slug,
            release,
            installation,
            automation,
            playbooks,
            strategy,
            selection,
            variables,
        } = intent;
        Ok(Self {
            service,
            service_slug,
            environment,
            environment_slug,
            release,
            installation,
            automation,
            playbooks,
            strategy,
            selection,
            variables,
            batches,
        })
    }

    /// SHA-256 over the canonical JSON (RFC 8785) of the plan, so that equal plans have equal digests everywhere.
    #[cfg(not(target_family = "wasm"))]
    pub fn digest(&self) -> Result<Sha256, DigestError> {
        let canonical = serde_json_canonicalizer::to_vec(self)
            .map_err(|error| DigestError(error.to_string()))?;
        Ok(Sha256::of(&canonical))
    }

    /// How the hosts there are now differ from those of the plan.
    pub fn churn<'a>(&self, now: impl IntoIterator<Item = &'a Host>) -> Churn {
        let mut gone: BTreeMap<HostId, &PlannedHost> = self
            .batches
            .iter()
            .flat_map(|batch| &batch.hosts)
            .map(|host| (host.id, host))
            .collect();
        let mut churn = Churn::default();
        for host in now
            .into_iter()
            .filter(|host| self.selection.limit.takes(host))
        {
            match gone.remove(&host.id) {
                None => churn.new.push(host.name.clone()),
                Some(planned) => {
                    let given = given(&self.playbooks, &self.variables, host);
                    if planned.digest != host.digest() || given.as_ref() != Ok(&planned.given) {
                        churn.changed.push(host.name.clone());
                    }
                }
            }
        }
        churn.gone = gone.into_values().map(|host| host.name.clone()).collect();
        churn.gone.sort();
        churn
    }

    /// The same of some of its hosts: the others are not gone.
    pub fn churn_among<'a>(&self, some: impl IntoIterator<Item = &'a Host>) -> Churn {
        Churn {
            gone: Vec::new(),
            ..self.churn(some)
        }
    }
}

/// Digest of what a run gives to a host besides what its inventory says. The playbooks of a project may ask for its groups.
fn given(
    playbooks: &PlannedPlaybooks,
    variables: &[Variable],
    host: &Host,
) -> Result<Option<Sha256>, FieldError> {
    let digest = variable::digest(variables, host)?;
    Ok(match playbooks {
        PlannedPlaybooks::Project(_) => {
            let given = serde_json::json!([host.groups, digest]);
            Some(Sha256::of(given.to_string().as_bytes()))
        }
        PlannedPlaybooks::Release | PlannedPlaybooks::DatadogAgent => digest,
    })
}

/// The plan could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The plan could not be encoded: {0}")]
pub struct DigestError(String);

/// How hosts differ from those a plan was made for, as a sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Churn {
    pub gone: Vec<HostName>,
    pub new: Vec<HostName>,
    /// Other variables, another address, another name, or other groups that change what it is given.
    pub changed: Vec<HostName>,
}

impl Churn {
    /// What is there now is what was planned for.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses any difference: another address or another variable would run what nobody approved.
    pub fn refuse(self) -> Result<(), Self> {
        if self.is_none() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Churn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            ("gone", &self.gone),
            ("new", &self.new),
            ("changed since", &self.changed),
        ]
        .into_iter()
        .filter(|(_, hosts)| !hosts.is_empty())
        .map(|(word, hosts)| format!("{word}: {}", listed(hosts, 20)))
        .collect();
        write!(
            f,
            "The hosts are not those of the approved plan ({}). Import them as they were, or end this rollout and request it again, so that what is approved is what runs.",
            parts.join("; ")
        )
    }
}
