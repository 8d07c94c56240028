//! A plan: intent with a digest. Approval binds to the digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hasher};

use crate::{
    host::Host,
    id::{EnvironmentId, HostId, ServiceId},
    release::Release,
    service::Installation,
    strategy::Strategy,
    text::{FieldError, HostName, Sha256, Slug},
};

/// A host as the plan resolved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    pub id: HostId,
    pub name: HostName,
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
    pub strategy: Strategy,
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
    pub strategy: Strategy,
}

impl Plan {
    /// Resolves an intent against the hosts as they are now.
    pub fn resolve(intent: Intent, hosts: &[Host]) -> Result<Self, FieldError> {
        let batches = intent.strategy.split.cut(hosts)?;
        let batches = batches
            .into_iter()
            .zip(&intent.strategy.bake_seconds)
            .zip(1..)
            .map(|((hosts, bake_seconds), number)| PlannedBatch {
                number,
                hosts: hosts
                    .into_iter()
                    .map(|host| PlannedHost {
                        id: host.id,
                        name: host.name,
                    })
                    .collect(),
                bake_seconds: *bake_seconds,
            })
            .collect();
        let Intent {
            service,
            service_slug,
            environment,
            environment_slug,
            release,
            installation,
            automation,
            strategy,
        } = intent;
        Ok(Self {
            service,
            service_slug,
            environment,
            environment_slug,
            release,
            installation,
            automation,
            strategy,
            batches,
        })
    }

    /// SHA-256 over the canonical JSON (RFC 8785) of the plan, so that equal plans have equal digests everywhere.
    pub fn digest(&self) -> Result<Sha256, DigestError> {
        let canonical = serde_json_canonicalizer::to_vec(self)
            .map_err(|error| DigestError(error.to_string()))?;
        let hex: String = Hasher::digest(&canonical)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        hex.parse()
            .map_err(|error: FieldError| DigestError(error.message))
    }

    /// How many hosts the plan reaches.
    pub fn host_count(&self) -> usize {
        self.batches.iter().map(|batch| batch.hosts.len()).sum()
    }
}

/// The plan could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The plan could not be encoded: {0}")]
pub struct DigestError(String);

/// Compares the hosts a plan was approved for with those there are now: `(gone, newcomers)`.
pub fn churn<'a>(plan: &'a Plan, now: &'a [Host]) -> (Vec<&'a PlannedHost>, Vec<&'a Host>) {
    let planned = || plan.batches.iter().flat_map(|batch| &batch.hosts);
    let gone = planned()
        .filter(|host| now.iter().all(|other| other.id != host.id))
        .collect();
    let newcomers = now
        .iter()
        .filter(|host| planned().all(|other| other.id != host.id))
        .collect();
    (gone, newcomers)
}
