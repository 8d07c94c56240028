//! Services: bringing one in, and reading them.

use domain::{
    id::{EnvironmentId, ServiceId, TeamId},
    service::{Installation, Service, Telemetry},
    text::FieldError,
};
use policy::{Action, Kind, Resource};
use store::{Owner, RolloutFilter};
use view::{
    error::ApiError,
    input::OnboardingInput,
    service::{OnboardingForm, ServiceList, ServiceView, TeamChoice},
};

use crate::{Ctx, Error};

const PAGE: u32 = 50;

/// What was given; nothing but spaces was not.
pub(crate) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn parse(input: OnboardingInput, team: TeamId, id: ServiceId) -> Result<Service, FieldError> {
    let short = |field: &str, text: &str, most: usize| match text.chars().count() {
        n if n > most => Err(FieldError::new(
            field,
            format!("Shorten this to {most} characters; it has {n}."),
        )),
        _ => Ok(text.trim().to_owned()),
    };
    let port = input.health_port.trim().parse().map_err(|_| {
        FieldError::new(
            "health_port",
            "Give the port of the health endpoint, 1 to 65535.",
        )
    })?;
    Ok(Service {
        id,
        team,
        slug: input.slug.parse()?,
        name: input.name.parse()?,
        description: short("description", &input.description, 500)?,
        repository: short("repository", &input.repository, 300)?,
        installation: Installation {
            host_group: input
                .host_group
                .parse()
                .map_err(|error: FieldError| error.for_field("host_group"))?,
            install_root: input.install_root.trim().to_owned(),
            health_port: port,
            health_path: input.health_path.trim().to_owned(),
        }
        .check()?,
        telemetry: Telemetry {
            requests: input.requests,
            errors: input.errors,
            latency: input.latency,
            liveness: input.liveness,
        }
        .check()?,
        playbooks: Default::default(),
    })
}

impl Ctx {
    /// The service and the environment that a list is narrowed to, by their slugs.
    pub(crate) async fn narrowed(
        &self,
        service: &Option<String>,
        environment: &Option<String>,
    ) -> Result<(Option<ServiceId>, Option<EnvironmentId>), Error> {
        let scope = self.scope()?;
        let service = match given(service) {
            Some(slug) => Some(self.store().service(&scope, slug).await?.id),
            None => None,
        };
        let environment = match given(environment) {
            Some(slug) => Some(self.store().environment(&scope, slug).await?.id),
            None => None,
        };
        Ok((service, environment))
    }

    /// A page of services.
    pub async fn services(&self, cursor: Option<String>) -> Result<ServiceList, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let page = self
                .store()
                .services(&scope, cursor.as_deref(), PAGE)
                .await?;
            Ok(ServiceList {
                page,
                may_onboard: self.onboarding_form_inner().await?.may_onboard,
            })
        })
        .await
    }

    /// One service with its newest rollouts.
    pub async fn service(&self, slug: String) -> Result<ServiceView, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let service = self.store().service(&scope, &slug).await?;
            let filter = RolloutFilter {
                service: Some(service.id),
                ..RolloutFilter::default()
            };
            let rollouts = self
                .store()
                .rollouts(&scope, &filter, None, 20)
                .await?
                .items;
            let may_request = self.allowance(Action::RequestRollout, resource(&service));
            let may_configure = self.allowance(Action::ConfigureService, resource(&service));
            let row = self.store().service_row(&scope, service.id).await?;
            let owner = Owner::Service(service.id);
            let variables = self.store().variables(&scope, owner).await?;
            let environments = self.store().environments(&scope).await?.into_iter();
            let (playbooks, playbook_choices) = self.playbook_choices(&service).await?;
            Ok(ServiceView {
                service: row,
                repository: service.repository,
                installation: service.installation,
                telemetry: service.telemetry,
                rollouts,
                variables,
                playbooks,
                playbook_choices,
                environments: environments.map(|row| (row.slug, row.name)).collect(),
                may_request,
                may_configure,
            })
        })
        .await
    }

    /// What the onboarding form offers this person.
    pub async fn onboarding_form(&self) -> Result<OnboardingForm, ApiError> {
        self.answer(self.onboarding_form_inner()).await
    }

    async fn onboarding_form_inner(&self) -> Result<OnboardingForm, Error> {
        let scope = self.scope()?;
        let teams = self.store().teams(&scope).await?;
        let refused = self.allowance(Action::OnboardService, Resource::new(Kind::Service, "", ""));
        let teams: Vec<TeamChoice> = teams
            .into_iter()
            .filter(|team| {
                self.allowance(
                    Action::OnboardService,
                    Resource::new(Kind::Service, "", "").of_team(team.id),
                )
                .allowed()
            })
            .map(|team| TeamChoice {
                id: team.id,
                slug: team.slug.to_string(),
                name: team.name.to_string(),
            })
            .collect();
        let may_onboard = if teams.is_empty() {
            refused
        } else {
            view::access::Allowance::Allowed
        };
        Ok(OnboardingForm { teams, may_onboard })
    }

    /// Brings a service in; gives its slug.
    pub async fn onboard(&self, input: OnboardingInput) -> Result<String, ApiError> {
        self.answer(async {
            let teams = self.store().teams(&self.scope()?).await?;
            let team = teams
                .iter()
                .find(|team| team.slug.as_str() == input.team.trim())
                .ok_or_else(|| FieldError::new("team", "Choose the team that owns the service."))?;
            let id = ServiceId(self.console.mint());
            let permit = self.permit(
                Action::OnboardService,
                Resource::new(Kind::Service, id, &input.slug).of_team(team.id),
            )?;
            let service = parse(input, team.id, id)?;
            self.store()
                .service_insert(&permit, &service, self.console.now())
                .await?;
            Ok(service.slug.to_string())
        })
        .await
    }
}

/// A service as a thing to ask permission about.
pub(crate) fn resource(service: &Service) -> Resource {
    Resource::new(Kind::Service, service.id, &service.slug)
        .of_team(service.team)
        .of_service(service.id)
}
