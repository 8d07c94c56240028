//! Environments and their hosts.

use std::collections::BTreeMap;

use domain::{
    environment::{Approval, Purpose},
    facts::HostFacts,
    host::Criticality,
    id::{EnvironmentId, HostId},
    inventory::{Absent, ValueChange},
    reach::Reach,
};
use serde::{Deserialize, Serialize};

use crate::{access::Allowance, audit::AuditRow, page::Page, variable::VariableRow};

/// One environment in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRow {
    pub id: EnvironmentId,
    pub slug: String,
    pub name: String,
    pub purpose: Purpose,
    pub approval: Approval,
    pub hosts: u32,
}

/// The list of environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentList {
    pub items: Vec<EnvironmentRow>,
    pub may_add: Allowance,
}

/// One environment with a page of its hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentView {
    pub environment: EnvironmentRow,
    pub hosts: Page<HostRow>,
    /// Of every service.
    pub variables: Vec<VariableRow>,
    pub reach: Reach,
    /// Names of the keys and passwords that are kept for it.
    pub reach_secrets: Vec<String>,
    pub may_import: Allowance,
    /// What the newest import did, if there was one.
    pub last_import: Option<AuditRow>,
}

/// What an inventory would change. Names only: what variables hold may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryDiff {
    /// Sent back with the import, so that what is taken over is what was shown.
    pub digest: String,
    pub added: Vec<String>,
    pub changed: Vec<HostDiff>,
    /// Known, and not named by the inventory; `absent` says what becomes of them.
    pub gone: Vec<String>,
    pub absent: Absent,
    pub unchanged: u32,
}

/// What an inventory would change of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDiff {
    pub name: String,
    pub renamed_from: Option<String>,
    /// Groups.
    pub joined: Vec<String>,
    /// Groups.
    pub left: Vec<String>,
    /// Variables and what else a host has, by name.
    pub what: BTreeMap<String, ValueChange>,
}

impl InventoryDiff {
    /// Nothing would be written.
    pub fn is_none(&self) -> bool {
        let leaves = self.absent == Absent::Remove && !self.gone.is_empty();
        self.added.is_empty() && self.changed.is_empty() && !leaves
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRow {
    pub id: HostId,
    pub name: String,
    pub identity: String,
    /// `address:port` Ansible connects to.
    pub address: String,
    pub criticality: Criticality,
    pub failure_domain: String,
    pub groups: Vec<String>,
    /// Names of its variables; their values may be secret.
    pub variables: Vec<String>,
    /// What the host told of itself last.
    pub facts: Option<HostFacts>,
    /// Services with the version the host was last seen to run.
    pub runs: Vec<(String, String)>,
}
