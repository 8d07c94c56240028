//! Environments and their hosts.

use domain::{
    environment::Environment,
    host::{Criticality, Host},
    id::{EnvironmentId, HostId},
    inventory::{Absent, Difference, HostChange},
    text::FieldError,
};
use integrations::{
    ansible::inventory::{self, InventoryHost},
    datadog::Selection,
};
use policy::{Action, Kind, Permit, Resource};
use serde_json::Value;
use store::{AuditFilter, Import, Owner};
use view::{
    environment::{EnvironmentList, EnvironmentRow, EnvironmentView, HostDiff, InventoryDiff},
    error::ApiError,
    input::{EnvironmentInput, ImportInput},
};

use crate::{
    Ctx, Error,
    project::{on_disk, planned},
};

const PAGE: u32 = 100;
/// Newest events of an environment among which its last import is looked for.
const EVENTS: u32 = 20;

impl Ctx {
    /// Every environment with the number of its hosts.
    pub async fn environments(&self) -> Result<EnvironmentList, ApiError> {
        self.answer(async {
            let items = self.store().environments(&self.scope()?).await?;
            Ok(EnvironmentList {
                items,
                may_add: self.allowance(
                    Action::ManageInventory,
                    Resource::new(Kind::Environment, "", ""),
                ),
            })
        })
        .await
    }

    /// One environment with a page of its hosts.
    pub async fn environment(
        &self,
        slug: String,
        cursor: Option<String>,
    ) -> Result<EnvironmentView, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let environment = self.store().environment(&scope, &slug).await?;
            let hosts = self
                .store()
                .hosts(&scope, environment.id, cursor.as_deref(), PAGE)
                .await?;
            let count = self
                .store()
                .environments(&scope)
                .await?
                .into_iter()
                .find(|row| row.id == environment.id)
                .map_or(0, |row| row.hosts);
            let may_import = self.allowance(Action::ManageInventory, resource(&environment));
            let about = AuditFilter {
                object: Some(("environment".to_owned(), environment.id.to_string())),
                ..AuditFilter::default()
            };
            // What happens to an environment is no team's secret, and there is little of it.
            let events = self
                .store()
                .audit(&policy::system_scope(), &about, None, EVENTS)
                .await?;
            let last_import = events
                .items
                .into_iter()
                .find(|event| event.action == "inventory.import");
            let owner = Owner::Environment(environment.id);
            let variables = self.store().variables(&scope, owner).await?;
            let reach = self.store().environment_reach(&scope, environment.id);
            let reach = reach.await?;
            let reach_secrets = self.reach_secrets_kept(environment.id).await?;
            let row = EnvironmentRow {
                id: environment.id,
                slug: environment.slug.to_string(),
                name: environment.name.to_string(),
                purpose: environment.purpose,
                approval: environment.approval,
                hosts: count,
            };
            Ok(EnvironmentView {
                environment: row,
                hosts,
                variables,
                reach,
                reach_secrets,
                may_import,
                last_import,
            })
        })
        .await
    }

    /// Adds an environment; gives its slug.
    pub async fn add_environment(&self, input: EnvironmentInput) -> Result<String, ApiError> {
        self.answer(async {
            let environment = Environment {
                id: EnvironmentId(self.console.mint()),
                slug: input.slug.parse()?,
                name: input.name.parse()?,
                purpose: input.purpose.parse()?,
                approval: input.approval.parse()?,
            }
            .check()?;
            let permit = self.permit(Action::ManageInventory, resource(&environment))?;
            self.store()
                .environment_insert(&permit, &environment, self.console.now())
                .await?;
            Ok(environment.slug.to_string())
        })
        .await
    }

    /// What an Ansible inventory would change. Writes nothing.
    pub async fn inventory_difference(
        &self,
        input: ImportInput,
    ) -> Result<InventoryDiff, ApiError> {
        self.answer(async {
            let read = self.read_inventory(&input).await?;
            let difference = self
                .store()
                .inventory_difference(
                    &self.scope()?,
                    read.environment.id,
                    &read.hosts,
                    read.absent,
                )
                .await?;
            shown(difference)
        })
        .await
    }

    /// Takes hosts over from an Ansible inventory: what was shown of it, and nothing else.
    pub async fn import_hosts(&self, input: ImportInput) -> Result<store::Imported, ApiError> {
        self.answer(async {
            let seen = input.seen.trim();
            if seen.is_empty() {
                let message = "Look at what the inventory changes first, and import it then.";
                return Err(FieldError::new("inventory", message).into());
            }
            let seen = seen.parse()?;
            let read = self.read_inventory(&input).await?;
            let import = Import {
                hosts: &read.hosts,
                absent: read.absent,
                seen: Some(&seen),
            };
            Ok(self
                .store()
                .hosts_import(
                    &read.permit,
                    read.environment.id,
                    import,
                    self.console.now(),
                )
                .await?)
        })
        .await
    }

    /// Permission is asked before Ansible is: reading takes a second, and what is said of hosts is not for everybody.
    async fn read_inventory(&self, input: &ImportInput) -> Result<ReadInventory, Error> {
        let environment = self
            .store()
            .environment(&self.scope()?, &input.environment)
            .await?;
        let permit = self.permit(Action::ManageInventory, resource(&environment))?;
        let absent = match input.absent.trim() {
            "" => Absent::default(),
            word => word.parse()?,
        };
        let hosts = match input.source.trim() {
            "project" => self.of_project(&permit, &environment, input).await?,
            "datadog" => self.of_datadog(input).await?,
            _ => {
                let settings = &self.console.settings().ansible;
                inventory::read(&settings.playbook_bin, &input.inventory)
                    .await
                    .map_err(|error| FieldError::new("inventory", error.to_string()))?
            }
        };
        let hosts = hosts
            .into_iter()
            .map(|host| known(host, environment.id, HostId(self.console.mint())))
            .collect::<Result<_, _>>()?;
        Ok(ReadInventory {
            permit,
            environment,
            hosts,
            absent,
        })
    }
}

impl Ctx {
    /// Hosts that an inventory of a project names now. Scripts get the environment's secrets that are called in capitals.
    async fn of_project(
        &self,
        permit: &Permit,
        environment: &Environment,
        input: &ImportInput,
    ) -> Result<Vec<InventoryHost>, Error> {
        let scope = self.scope()?;
        if input.project.trim().is_empty() {
            return Err(
                FieldError::new("project", "Choose the project that has the inventory.").into(),
            );
        }
        let project = self.store().project(&scope, input.project.trim()).await?;
        // Its scripts run on this machine, as its playbooks do.
        self.permit(
            Action::ManageInventory,
            Resource::new(Kind::Project, project.id, &project.slug),
        )?;
        let planned = planned(project)?;
        let project = self.console.checked_out(&planned).await?;
        // Scripts may write beside themselves, but not into what jobs are started from.
        let copied = on_disk(move || {
            let folder = integrations::scratch()?;
            let project = project.copied(&folder.path().join("project"))?;
            Ok((folder, project))
        });
        let (_folder, project) = copied.await.map_err(|error| {
            Error::Unavailable(format!(
                "The project's files cannot be copied: {error}. See that the disk has free space."
            ))
        })?;
        let env = self.console.capitals(permit, environment.id).await?;
        let path = input.path.trim();
        let settings = &self.console.settings().ansible;
        inventory::from_project(settings, &inventory::Dynamic::new(&project.dir, path, &env))
            .await
            .map_err(|error| FieldError::new("path", error.to_string()).into())
    }

    async fn of_datadog(&self, input: &ImportInput) -> Result<Vec<InventoryHost>, Error> {
        let Some(client) = &self.console.inner.datadog else {
            let message = "This installation has no [datadog] settings. Choose another source.";
            return Err(FieldError::new("source", message).into());
        };
        let selection = Selection {
            filter: input.filter.clone(),
            group_by: match input.group_by.trim() {
                "" => None,
                key => Some(
                    key.parse()
                        .map_err(|why: String| FieldError::new("group_by", why))?,
                ),
            },
        };
        let found = client
            .inventory(&selection)
            .await
            .map_err(|error| FieldError::new("source", error.to_string()))?;
        match found.left_out.as_slice() {
            [] => Ok(found.hosts),
            left_out => Err(FieldError::new(
                "filter",
                format!(
                    "Datadog knows hosts that cannot be taken; narrow the filter to leave them out. {}",
                    domain::text::listed(left_out, 5)
                ),
            )
            .into()),
        }
    }
}

/// An inventory that was understood.
struct ReadInventory {
    permit: Permit,
    environment: Environment,
    hosts: Vec<Host>,
    absent: Absent,
}

fn shown(difference: Difference) -> Result<InventoryDiff, Error> {
    let digest = difference.digest();
    let digest = digest.map_err(|error| Error::Internal(error.to_string()))?;
    let names = |hosts: &[Host]| hosts.iter().map(|host| host.name.to_string()).collect();
    let change = |change: HostChange| HostDiff {
        name: change.host.name.to_string(),
        renamed_from: change.renamed_from.map(String::from),
        joined: change.joined.into_iter().collect(),
        left: change.left.into_iter().collect(),
        what: change.what,
    };
    Ok(InventoryDiff {
        digest: digest.to_string(),
        added: names(&difference.added),
        gone: names(&difference.gone),
        absent: difference.absent,
        unchanged: difference.unchanged,
        changed: difference.changed.into_iter().map(change).collect(),
    })
}

/// Turns an inventory host into one Slipway knows. `slipway_criticality`, `slipway_failure_domain` and
/// `slipway_identity` are Slipway's own words in the inventory, and say nothing when they are empty; everything else is
/// given to Ansible.
fn known(
    host: inventory::InventoryHost,
    environment: EnvironmentId,
    id: HostId,
) -> Result<Host, FieldError> {
    let mut variables = host.variables;
    let mut take = |name: &str| {
        let text = match variables.remove(name)? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        (!text.is_empty()).then_some(text)
    };
    let criticality = match take("slipway_criticality") {
        Some(word) => word.parse::<Criticality>().map_err(|error| {
            FieldError::new(
                "inventory",
                format!("Host {}: {}", host.name, error.message),
            )
        })?,
        None => Criticality::default(),
    };
    let failure_domain = take("slipway_failure_domain").unwrap_or_default();
    let identity = take("slipway_identity").unwrap_or_else(|| host.name.to_string());
    if [&failure_domain, &identity]
        .iter()
        .any(|text| text.len() > 200 || text.chars().any(char::is_control))
    {
        return Err(FieldError::new(
            "inventory",
            format!(
                "Host {}: identity and failure domain must be one line of at most 200 characters.",
                host.name
            ),
        ));
    }
    Ok(Host {
        id,
        environment,
        identity,
        name: host.name,
        criticality,
        failure_domain,
        groups: host.groups,
        variables,
    })
}

/// An environment as a thing to ask permission about.
pub(crate) fn resource(environment: &Environment) -> Resource {
    Resource::new(Kind::Environment, environment.id, &environment.slug)
        .in_environment(environment.id)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_empty_says_nothing() {
        let inventory = |identity: Value| inventory::InventoryHost {
            name: "web-1".parse().unwrap(),
            groups: BTreeSet::new(),
            variables: BTreeMap::from([
                ("slipway_identity".to_owned(), identity),
                ("slipway_criticality".to_owned(), Value::Null),
                ("slipway_failure_domain".to_owned(), json!("")),
            ]),
        };
        for (identity, expected) in [
            (Value::Null, "web-1"),
            (json!(""), "web-1"),
            (json!("  "), "web-1"),
            (json!("i-1"), "i-1"),
            (json!(17), "17"),
        ] {
            let (environment, id) = (EnvironmentId(testkit::mint()), HostId(testkit::mint()));
            let host = known(inventory(identity), environment, id).unwrap();
            assert_eq!(
                (host.identity.as_str(), host.failure_domain.as_str()),
                (expected, "")
            );
            assert_eq!(host.criticality, Criticality::default());
            assert!(host.variables.is_empty());
        }
    }
}
