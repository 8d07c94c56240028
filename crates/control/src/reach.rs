//! How the hosts of an environment are reached.

use domain::{
    environment::Environment,
    id::EnvironmentId,
    reach::{HostKeyPolicy, Reach, ReachSecrets},
    text::FieldError,
};
use integrations::ansible::reach::{self, Become, HostKeys, Jump};
use policy::{Action, Kind, Permit, Resource, SystemAction};
use view::{error::ApiError, input::ReachInput};

use crate::{Console, Ctx, Error, environment, error::invalid};

impl Ctx {
    /// Changes how the hosts of an environment are reached; gives the page.
    pub async fn set_reach(&self, input: ReachInput) -> Result<String, ApiError> {
        self.answer(async {
            let environment = self
                .store()
                .environment(&self.scope()?, input.environment.trim())
                .await?;
            let permit =
                self.permit(Action::ManageInventory, environment::resource(&environment))?;
            let reach = typed(&input)?;
            // What nobody can open any more is replaced by what is given now.
            let mut secrets = match self.console.reach_secrets(&permit, environment.id).await {
                Err(Error::Unavailable(_)) => ReachSecrets::default(),
                secrets => secrets?,
            };
            for (typed, kept, removed) in [
                (&input.private_key, &mut secrets.private_key, "private_key"),
                (
                    &input.become_password,
                    &mut secrets.become_password,
                    "become_password",
                ),
                (
                    &input.vault_password,
                    &mut secrets.vault_password,
                    "vault_password",
                ),
            ] {
                if input.forget.split_whitespace().any(|word| word == removed) {
                    *kept = None;
                }
                // Nothing typed leaves what is there.
                if !typed.trim().is_empty() {
                    *kept = Some(typed.replace("\r\n", "\n"));
                }
            }
            // Refused here, and not at the next rollout.
            self.console.connecting(&environment, &reach, &secrets)?;
            let plain =
                serde_json::to_vec(&secrets).map_err(|error| Error::Internal(error.to_string()))?;
            let sealed = self
                .console
                .seal()?
                .seal(&at(environment.id), &plain)
                .map_err(|error| Error::Internal(error.to_string()))?;
            let now = self.console.now();
            self.store()
                .environment_reach_set(&permit, &reach, &sealed, now)
                .await?;
            Ok(format!("/environments/{}#reach", environment.slug))
        })
        .await
    }
}

impl Ctx {
    /// Names of the keys and passwords that are kept, and nothing of what they are; or one sentence where they cannot be
    /// opened.
    pub(crate) async fn reach_secrets_kept(&self, id: EnvironmentId) -> Result<Vec<String>, Error> {
        let resource = Resource::new(Kind::Environment, id, "").in_environment(id);
        let permit = self.console.system(SystemAction::RUN_JOB, resource);
        let secrets = match self.console.reach_secrets(&permit, id).await {
            Err(Error::Unavailable(why)) => return Ok(vec![why]),
            secrets => secrets?,
        };
        let kept = [
            ("private_key", secrets.private_key),
            ("become_password", secrets.become_password),
            ("vault_password", secrets.vault_password),
        ];
        let kept = kept.into_iter().filter(|(_, secret)| secret.is_some());
        Ok(kept.map(|(name, _)| name.to_owned()).collect())
    }
}

impl Console {
    /// How a run reaches the hosts of an environment.
    pub(crate) async fn reach(
        &self,
        permit: &Permit,
        environment: &Environment,
    ) -> Result<reach::Reach, Error> {
        let reach = self
            .store()
            .environment_reach(&policy::system_scope(), environment.id)
            .await?;
        let secrets = self.reach_secrets(permit, environment.id).await?;
        Ok(self.connecting(environment, &reach, &secrets)?)
    }

    pub(crate) async fn reach_secrets(
        &self,
        permit: &Permit,
        id: EnvironmentId,
    ) -> Result<ReachSecrets, Error> {
        let Some(sealed) = self.store().environment_reach_sealed(permit, id).await? else {
            return Ok(ReachSecrets::default());
        };
        let plain = self.seal()?.open(&at(id), &sealed).ok();
        let secrets = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        secrets.ok_or_else(|| Error::Unavailable("The keys and passwords of the environment do not open with the present secret_key. Give them again.".to_owned()))
    }

    fn connecting(
        &self,
        environment: &Environment,
        reach: &Reach,
        secrets: &ReachSecrets,
    ) -> Result<reach::Reach, FieldError> {
        let text = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        let port = |field: &'static str, text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                FieldError::new(
                    field,
                    format!("“{text}” is not a port. Give a number from 1 to 65535."),
                )
            }),
        };
        let jump = |line: &String| {
            let refuse = |why: String| FieldError::new("jump", why);
            let (user, place) = match line.rsplit_once('@') {
                Some((user, place)) => (Some(user), place),
                None => (None, line.as_str()),
            };
            let (host, at) = match place.rsplit_once(':') {
                Some((host, at)) if !host.contains(':') => (host, at),
                _ => (place, ""),
            };
            Ok::<_, FieldError>(Jump {
                user: user
                    .map(str::parse)
                    .transpose()
                    .map_err(|error| refuse(format!("Jump host {line}: {error}")))?,
                host: host
                    .parse()
                    .map_err(|error| refuse(format!("Jump host {line}: {error}")))?,
                port: port("jump", at)?,
            })
        };
        let becoming = match reach.become_method.trim() {
            "" => None,
            method => Some(Become {
                method: method.parse().map_err(invalid("become_method"))?,
                user: match reach.become_user.trim() {
                    "" => "root",
                    user => user,
                }
                .parse()
                .map_err(invalid("become_user"))?,
                password: secrets.become_password.clone().map(Into::into),
            }),
        };
        Ok(reach::Reach {
            user: text(&reach.user)
                .map(|user| user.trim().parse())
                .transpose()
                .map_err(invalid("user"))?,
            port: port("port", &reach.port)?,
            jump: reach.jump.iter().map(jump).collect::<Result<_, _>>()?,
            host_keys: match reach.host_keys {
                HostKeyPolicy::Strict => HostKeys::Strict,
                HostKeyPolicy::AcceptNew => HostKeys::AcceptNew {
                    kept_in: self
                        .settings()
                        .data_dir
                        .join("known_hosts")
                        .join(environment.id.to_string()),
                },
            },
            known_hosts: text(&reach.known_hosts),
            private_key: secrets.private_key.clone().map(Into::into),
            certificate: text(&reach.certificate),
            become_: becoming,
            vault_password: secrets.vault_password.clone().map(Into::into),
        })
    }
}

fn typed(input: &ReachInput) -> Result<Reach, FieldError> {
    let lines = |text: &str| text.replace("\r\n", "\n");
    Ok(Reach {
        user: input.user.trim().to_owned(),
        port: input.port.trim().to_owned(),
        jump: input
            .jump
            .split([',', '\n', '\r', ' '])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        host_keys: match input.host_keys.trim() {
            "" => HostKeyPolicy::default(),
            word => word.parse()?,
        },
        known_hosts: lines(&input.known_hosts),
        certificate: input.certificate.trim().to_owned(),
        become_method: input.become_method.trim().to_owned(),
        become_user: input.become_user.trim().to_owned(),
    })
}

/// What the ciphertext of an environment's secrets is bound to.
fn at(id: EnvironmentId) -> String {
    format!("reach/{id}")
}
