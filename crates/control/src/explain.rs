//! Whether somebody may do something, and why: for an auditor, and for who was refused.

use domain::{
    id::{RolloutId, UserId},
    text::FieldError,
};
use policy::{Action, Grant, Kind, Resource, Subject};
use view::{
    access::{Explanation, HeldRole},
    error::ApiError,
    input::ExplainQuery,
};

use crate::{
    Ctx, Error,
    access::{Standing, told},
    environment, rollout, service,
};

impl Ctx {
    /// Explains a decision about anybody to who may read who may do what, and to everybody about themselves.
    pub async fn explain(&self, query: ExplainQuery) -> Result<Explanation, ApiError> {
        self.answer(self.explained(&query)).await
    }

    async fn explained(&self, query: &ExplainQuery) -> Result<Explanation, Error> {
        let user = self.who(query.person.trim()).await?;
        let action: Action = query.action.trim().parse()?;
        let resource = self.meant(action, query.about.trim()).await?;
        let teams = self.store().teams(&policy::system_scope()).await?;
        let (subject, kept_out) = self.standing_of(user).await?;
        let held = |grant: &Grant| HeldRole {
            role: told(grant, &teams),
            reaches: grant.place.covers(&resource.place),
        };
        let roles = subject.grants.iter().map(held).collect();
        let about = format!("{} {}", resource.kind, resource.name);
        let (allowed, why, givers) = match policy::permit(&subject, action, resource) {
            Ok(permit) => (true, permit.allowed_by().to_owned(), Vec::new()),
            Err(denied) => {
                let givers = match kept_out {
                    None => self.console.givers(&denied, &subject).await?,
                    // No role would help.
                    Some(_) => Vec::new(),
                };
                (false, denied.of_another(), givers)
            }
        };
        Ok(Explanation {
            person: subject.name,
            action: action.to_string(),
            about: about.trim_end().to_owned(),
            allowed,
            why: kept_out.unwrap_or(why),
            roles,
            givers,
        })
    }

    /// Whom the question is about. Who may not read of others learns nothing of whether there is somebody of that name.
    async fn who(&self, person: &str) -> Result<UserId, Error> {
        if person.is_empty() || person == self.user().to_string() {
            return Ok(self.user());
        }
        let readable = self.may_read_people();
        if readable.is_err()
            && let Ok(own) = self.store().person_row(self.user()).await
        {
            let called = person.to_lowercase();
            if [own.name, own.email]
                .iter()
                .any(|own| own.to_lowercase() == called)
            {
                return Ok(self.user());
            }
        }
        readable?;
        self.found(person).await
    }

    /// What somebody holds, and why they are out, if they are: then they hold nothing.
    async fn standing_of(&self, user: UserId) -> Result<(Subject, Option<String>), Error> {
        if user == self.user() {
            return Ok((self.subject.clone(), None));
        }
        let row = self.store().person_row(user).await?;
        Ok(match self.console.standing(user).await? {
            Standing::In(subject) => (subject, None),
            Standing::Out { .. } => {
                let subject = Subject::new(user, row.name, Vec::new(), Vec::new());
                (subject, Some("An admin keeps them out.".to_owned()))
            }
        })
    }

    /// A person by id, e-mail address or name.
    async fn found(&self, person: &str) -> Result<UserId, Error> {
        if let Ok(id) = person.parse() {
            return Ok(id);
        }
        let mut found = self.store().people_called(person).await?;
        match (found.pop(), found.is_empty()) {
            (Some(id), true) => Ok(id),
            (None, _) => Err(Error::NotFound(format!(
                "Nobody with the id, the e-mail address or the name “{}” has signed in.",
                domain::text::shown(person)
            ))),
            (Some(_), false) => Err(FieldError::new(
                "user",
                format!(
                    "More than one person is called “{}”. Give the id, which stands in the address of the person's page.",
                    domain::text::shown(person)
                ),
            )
            .into()),
        }
    }

    /// What an action would be about: “rollout:…”, “service:checkout”, “environment:production”, “team:payments”, “person”.
    async fn meant(&self, action: Action, about: &str) -> Result<Resource, Error> {
        let wrong = |why: String| Error::Field(FieldError::new("resource", why));
        let scope = self.scope()?;
        let kinds = policy::kinds_of(action);
        let (kind, name) = about.split_once(':').unwrap_or((about, ""));
        let kind: Kind = kind.parse()?;
        // What is done to rollouts is asked of a service as well: of any rollout of it.
        let of_service = kind == Kind::Service && !name.is_empty();
        let stands_for_rollout = of_service && kinds.contains(&Kind::Rollout);
        if !kinds.contains(&kind) && !stands_for_rollout {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
            return Err(wrong(match kinds.as_slice() {
                [] => format!(
                    "{action} is what only Slipway itself does. Ask about something that people do."
                ),
                kinds => format!(
                    "{action} is not done to a {kind}. Ask about: {}.",
                    kinds.join(", ")
                ),
            }));
        }
        if kind == Kind::Grant {
            return Err(wrong("Whether somebody may give a role depends on the role and on whom they give it to: the page of that person says it.".to_owned()));
        }
        Ok(match (kind, name) {
            (_, "") => Resource::new(kind, "", ""),
            (Kind::Rollout, id) => {
                let id: RolloutId = id.parse().map_err(crate::error::invalid("resource"))?;
                rollout::resource(&self.store().rollout(&scope, id).await?)
            }
            (Kind::Service, slug) => {
                let service = service::resource(&self.store().service(&scope, slug).await?);
                if kinds.contains(&Kind::Service) {
                    return Ok(service);
                }
                Resource {
                    kind: Kind::Rollout,
                    id: String::new(),
                    name: format!("of {}", service.name),
                    ..service
                }
            }
            (Kind::Environment, slug) => {
                environment::resource(&self.store().environment(&scope, slug).await?)
            }
            (Kind::Team, slug) => {
                let teams = self.store().teams(&scope).await?;
                let team = teams.into_iter().find(|team| team.slug.as_str() == slug);
                let team = team.ok_or_else(|| {
                    Error::NotFound("There is no such team, or you cannot see it.".to_owned())
                })?;
                Resource::new(Kind::Team, team.id, &team.slug).of_team(team.id)
            }
            (kind, _) => {
                return Err(wrong(format!(
                    "One {kind} cannot be named here. Give “{kind}” alone, or rollout:ID, service:NAME, environment:NAME or team:NAME."
                )));
            }
        })
    }
}
