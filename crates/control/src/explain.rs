//! Whether somebody may do something, and why: for an auditor, and for who was refused.

use domain::id::{RolloutId, UserId};
use policy::{Action, Grant, Kind, Place, Resource, Subject};
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

/// Actions that only Slipway itself takes.
const OWN: [Action; 5] = [
    Action::Observe,
    Action::RunJob,
    Action::Deliver,
    Action::SignIn,
    Action::Refuse,
];

impl Ctx {
    /// Explains a decision about anybody to who may read who may do what, and to everybody about themselves.
    pub async fn explain(&self, query: ExplainQuery) -> Result<Explanation, ApiError> {
        self.answer(self.explained(&query)).await
    }

    async fn explained(&self, query: &ExplainQuery) -> Result<Explanation, Error> {
        let user = match query.person.trim() {
            "" => self.user(),
            person => {
                let found = self.found(person).await?;
                if found != self.user() {
                    self.may_read_people()?;
                }
                found
            }
        };
        let action: Action = query.action.trim().parse()?;
        if OWN.contains(&action) {
            return Err(Error::Conflict(format!(
                "{action} is what only Slipway itself does. Ask about something that people do."
            )));
        }
        let resource = self.meant(&query.about).await?;
        let teams = self.store().teams(&policy::system_scope()).await?;
        let (subject, kept_out) = self.standing_of(user).await?;
        let held = |grant: &Grant| HeldRole {
            role: told(grant, &teams),
            reaches: grant.place.covers(&resource.place),
        };
        let roles = subject.grants.iter().map(held).collect();
        let about = match resource.name.as_str() {
            "" => resource.kind.to_string(),
            name => format!("{} {name}", resource.kind),
        };
        let (allowed, why, givers) = match policy::permit(&subject, action, resource) {
            Ok(permit) => (true, permit.allowed_by().to_owned(), Vec::new()),
            Err(denied) => {
                let givers = match (&denied, denied.asked()) {
                    (policy::Denied::MissingRole { .. }, Some(asked)) => self.givers(asked).await?,
                    _ => Vec::new(),
                };
                (false, denied.beside(), givers)
            }
        };
        Ok(Explanation {
            person: subject.name,
            action: action.to_string(),
            about,
            allowed,
            why: kept_out.unwrap_or(why),
            roles,
            givers,
        })
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
                let subject = Subject {
                    user,
                    name: row.name,
                    selves: Vec::new(),
                    grants: Vec::new(),
                };
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
            (Some(_), false) => Err(Error::Conflict(format!(
                "More than one person is called “{}”. Give the id, which stands in the address of the person's page.",
                domain::text::shown(person)
            ))),
        }
    }

    /// What an action would be about: “rollout:…”, “service:checkout”, “environment:production”, “team:payments”, “person”.
    async fn meant(&self, about: &str) -> Result<Resource, Error> {
        let scope = self.scope()?;
        let about = about.trim();
        let (kind, name) = about.split_once(':').unwrap_or((about, ""));
        let kind: Kind = kind.parse()?;
        Ok(match (kind, name) {
            (_, "") => Resource::new(kind, "", ""),
            (Kind::Rollout, id) => {
                let id: RolloutId = id.parse().map_err(crate::error::invalid("about"))?;
                rollout::resource(&self.store().rollout(&scope, id).await?)
            }
            (Kind::Service, slug) => service::resource(&self.store().service(&scope, slug).await?),
            (Kind::Environment, slug) => {
                environment::resource(&self.store().environment(&scope, slug).await?)
            }
            (Kind::Team, slug) => {
                let teams = self.store().teams(&scope).await?;
                let team = teams.into_iter().find(|team| team.slug.as_str() == slug);
                let team = team.ok_or_else(|| {
                    Error::NotFound("There is no such team, or you cannot see it.".to_owned())
                })?;
                let place = Place {
                    team: Some(team.id),
                    ..Place::default()
                };
                Resource {
                    place,
                    ..Resource::new(Kind::Team, team.id, &team.slug)
                }
            }
            (kind, _) => {
                return Err(Error::Conflict(format!(
                    "One {kind} cannot be named here. Give “{kind}” alone, or rollout:ID, service:NAME, environment:NAME or team:NAME."
                )));
            }
        })
    }
}
