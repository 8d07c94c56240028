//! Variables that playbooks are given: setting, removing, and opening the secrets among them for a run.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    host::Host,
    id::{EnvironmentId, HostId, VariableId},
    plan::Plan,
    text::{FieldError, GroupName},
    variable::{self, Place, Variable, VariableKind},
};
use policy::{Action, Permit};
use secrecy::SecretString;
use serde_json::Value;
use store::{NewVariable, Owner};
use view::{
    error::ApiError,
    input::{VariableInput, VariableRemoval},
};

use crate::{Console, Ctx, Error, Seal, environment, service};

/// What one host of a run is given besides what its inventory says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub variables: BTreeMap<String, Value>,
    pub secrets: BTreeMap<String, SecretString>,
}

impl Ctx {
    /// Sets a variable; gives the page it is on.
    pub async fn set_variable(&self, input: VariableInput) -> Result<String, ApiError> {
        self.answer(async {
            let (owner, permit, page) = self.owner(&input.service, &input.environment).await?;
            let place = self.place(owner, &input).await?;
            let kind: VariableKind = input.kind.trim().parse()?;
            let value = kind.read(&input.value)?;
            let (value, secret) = match (kind, value) {
                (VariableKind::Secret, Value::String(text)) => (None, Some(text)),
                (_, value) => (Some(value), None),
            };
            let variable = Variable {
                id: VariableId(self.console.mint()),
                name: input.name.parse()?,
                kind,
                place,
                value,
            }
            .check()?;
            let sealed = match secret {
                Some(secret) => Some(
                    self.console
                        .seal()?
                        .seal(&at(&variable), secret.as_bytes())
                        .map_err(|error| Error::Internal(error.to_string()))?,
                ),
                None => None,
            };
            let new = NewVariable {
                variable: &variable,
                sealed: sealed.as_deref(),
            };
            self.store()
                .variable_set(&permit, new, self.console.now())
                .await?;
            Ok(page)
        })
        .await
    }

    /// Removes a variable; gives the page it was on.
    pub async fn remove_variable(&self, input: VariableRemoval) -> Result<String, ApiError> {
        self.answer(async {
            let (owner, permit, page) = self.owner(&input.service, &input.environment).await?;
            let id = input.variable.trim().parse::<VariableId>();
            let id = id.map_err(|error| FieldError::new("variable", error.to_string()))?;
            self.store()
                .variable_remove(&permit, owner, id, self.console.now())
                .await?;
            Ok(page)
        })
        .await
    }

    /// Whose variables these are, with leave to change them and the page that lists them.
    async fn owner(
        &self,
        service: &str,
        environment: &str,
    ) -> Result<(Owner, Permit, String), Error> {
        let scope = self.scope()?;
        if service.trim().is_empty() {
            let environment = self.store().environment(&scope, environment.trim()).await?;
            let resource = environment::resource(&environment);
            let permit = self.permit(Action::ManageInventory, resource)?;
            let page = format!("/environments/{}#variables", environment.slug);
            return Ok((Owner::Environment(environment.id), permit, page));
        }
        let service = self.store().service(&scope, service.trim()).await?;
        let permit = self.permit(Action::ConfigureService, service::resource(&service))?;
        let page = format!("/services/{}#variables", service.slug);
        Ok((Owner::Service(service.id), permit, page))
    }

    async fn place(&self, owner: Owner, input: &VariableInput) -> Result<Place, Error> {
        let group = match input.host_group.trim() {
            "" | "all" => None,
            group => Some(group.parse::<GroupName>()?),
        };
        let (service, environment) = match owner {
            Owner::Environment(id) => (None, Some(id)),
            Owner::Service(id) => {
                let environment = match input.environment.trim() {
                    "" => None,
                    slug => Some(self.store().environment(&self.scope()?, slug).await?.id),
                };
                (Some(id), environment)
            }
        };
        Ok(Place {
            service,
            environment,
            group,
        })
    }
}

impl Console {
    pub(crate) fn seal(&self) -> Result<&Seal, Error> {
        self.settings().seal.as_ref().ok_or_else(|| {
            Error::Unavailable(
                "Secrets cannot be opened without the setting secret_key.".to_owned(),
            )
        })
    }

    /// What each host is given by the plan. The values of secrets are those of now; one that was removed is missed by name.
    pub(crate) async fn given(
        &self,
        permit: &Permit,
        plan: &Plan,
        hosts: impl Iterator<Item = &Host>,
    ) -> Result<BTreeMap<HostId, Given>, Error> {
        let mut wanted = BTreeSet::new();
        let mut found = Vec::new();
        for host in hosts {
            let variables = variable::for_host(&plan.variables, host)?;
            wanted.extend(
                variables
                    .values()
                    .filter(|variable| variable.kind == VariableKind::Secret)
                    .map(|variable| variable.id),
            );
            found.push((host.id, variables));
        }
        let secrets = self.secrets(permit, wanted).await?;
        let mut given = BTreeMap::new();
        for (host, variables) in found {
            let mut of_host = Given::default();
            for (name, variable) in variables {
                match &variable.value {
                    Some(value) => {
                        of_host.variables.insert(name.to_owned(), value.clone());
                    }
                    None => {
                        let secret = secrets.get(&variable.id).ok_or_else(|| Error::Unavailable(format!(
                            "The secret {name} that this plan needs is no longer there. Set it again and request the rollout again."
                        )))?;
                        of_host.secrets.insert(name.to_owned(), secret.clone());
                    }
                }
            }
            given.insert(host, of_host);
        }
        Ok(given)
    }

    /// The environment's own secrets that are called in capitals, as programs expect to find them.
    pub(crate) async fn capitals(
        &self,
        permit: &Permit,
        environment: EnvironmentId,
    ) -> Result<BTreeMap<String, SecretString>, Error> {
        let owner = Owner::Environment(environment);
        let rows = self
            .store()
            .variables(&policy::system_scope(), owner)
            .await?;
        let capitals = rows.into_iter().filter(|row| {
            let lower = row.name.chars().any(|c| c.is_ascii_lowercase());
            row.kind == VariableKind::Secret && row.host_group.is_empty() && !lower
        });
        let names: BTreeMap<VariableId, String> = capitals.map(|row| (row.id, row.name)).collect();
        let secrets = self
            .secrets(permit, names.keys().copied().collect())
            .await?;
        let named = secrets.into_iter();
        Ok(named
            .filter_map(|(id, secret)| Some((names.get(&id)?.clone(), secret)))
            .collect())
    }

    async fn secrets(
        &self,
        permit: &Permit,
        ids: BTreeSet<VariableId>,
    ) -> Result<BTreeMap<VariableId, SecretString>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<VariableId> = ids.into_iter().collect();
        let seal = self.seal()?;
        let sealed = self.store().secrets(permit, &ids).await?;
        sealed
            .into_iter()
            .map(|(id, (variable, sealed))| {
                let plain = seal.open(&at(&variable), &sealed).ok();
                let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
                let plain = plain.ok_or_else(|| Error::Unavailable(format!(
                    "The secret {} does not open with the present secret_key. Set it again, or start Slipway with the key it was kept with.",
                    variable.name
                )))?;
                Ok((id, SecretString::from(plain)))
            })
            .collect()
    }
}

/// What the ciphertext of a secret is bound to, so that it opens nowhere else.
fn at(variable: &Variable) -> String {
    let Place {
        service,
        environment,
        group,
    } = &variable.place;
    let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    format!(
        "variable/{}/{}/{}/{}",
        part(service.map(|id| id.to_string())),
        part(environment.map(|id| id.to_string())),
        part(group.clone().map(String::from)),
        variable.name
    )
}
