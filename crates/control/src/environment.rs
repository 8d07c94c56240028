//! Environments and their hosts.

use domain::{
    environment::Environment,
    host::{Criticality, Host},
    id::{EnvironmentId, HostId},
    text::FieldError,
};
use integrations::ansible::inventory;
use policy::{Action, Resource};
use serde_json::Value;
use store::AuditFilter;
use view::{
    environment::{EnvironmentList, EnvironmentRow, EnvironmentView},
    error::ApiError,
    input::{EnvironmentInput, ImportInput},
};

use crate::Ctx;

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
                    Resource::new("environment", "", ""),
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
            let may_import = self.allowance(
                Action::ManageInventory,
                Resource::new("environment", environment.id, &environment.slug),
            );
            let about = AuditFilter {
                object: Some(("environment".to_owned(), environment.id.to_string())),
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
            let permit = self.permit(
                Action::ManageInventory,
                Resource::new("environment", environment.id, &environment.slug),
            )?;
            self.store()
                .environment_insert(&permit, &environment, self.console.now())
                .await?;
            Ok(environment.slug.to_string())
        })
        .await
    }

    /// Takes hosts over from an Ansible inventory. Hosts are added or changed, never removed.
    pub async fn import_hosts(&self, input: ImportInput) -> Result<store::Imported, ApiError> {
        self.answer(async {
            let environment = self
                .store()
                .environment(&self.scope()?, &input.environment)
                .await?;
            let permit = self.permit(
                Action::ManageInventory,
                Resource::new("environment", environment.id, &environment.slug),
            )?;
            let settings = &self.console.settings().ansible;
            let read = inventory::read(&settings.playbook_bin, &input.inventory)
                .await
                .map_err(|error| FieldError::new("inventory", error.to_string()))?;
            let hosts = read
                .into_iter()
                .map(|host| known(host, environment.id, HostId(self.console.mint())))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(self
                .store()
                .hosts_import(&permit, environment.id, &hosts, self.console.now())
                .await?)
        })
        .await
    }
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
