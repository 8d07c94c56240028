//! People: who they are, what they hold, where they are signed in.

use std::ops::RangeInclusive;

use domain::{
    SignedDuration, Timestamp,
    id::{GrantId, UserId},
    person::{PersonKind, PersonState},
    team::Team,
    text::{FieldError, Reason},
};
use policy::{Action, Grant, Kind, Place, Resource, Role};
use store::{Ending, NewGrant};
use view::{
    access::Allowance,
    error::ApiError,
    input::{EndGrantInput, EndSessionInput, GrantInput, PersonInput},
    person::{GrantRow, Here, PeopleList, PersonRow, PersonView},
};

use crate::{Ctx, Error, access::told, error::invalid};

const PAGE: u32 = 50;
/// Tokens a person's page shows.
const TOKENS: u32 = 100;
/// Days a role may be given for; none is for ever.
const LONGEST: i64 = 3660;

fn resource(row: &PersonRow) -> Resource {
    Resource::new(Kind::Person, row.id, &row.name)
}

impl Ctx {
    /// A page of people by name, with what each holds.
    pub async fn people(&self, cursor: Option<String>) -> Result<PeopleList, ApiError> {
        self.answer(async {
            self.may_read_people()?;
            let mut page = self.store().people(cursor.as_deref(), PAGE).await?;
            let teams = self.store().teams(&policy::system_scope()).await?;
            let ids: Vec<UserId> = page.items.iter().map(|row| row.id).collect();
            let grants = self.store().grants_of_each(&ids).await?;
            for row in &mut page.items {
                let by_group = self.by_group(row, &teams);
                let given = grants.get(&row.id).into_iter().flatten();
                row.roles = self.roles(&by_group, given.map(|(_, row)| row));
            }
            let somebody = Resource::new(Kind::Person, "", "");
            Ok(PeopleList {
                page,
                may_make_account: self.allowance(Action::ManagePeople, somebody),
            })
        })
        .await
    }

    /// One person. Everybody may look at themselves. `session` is where this is read.
    pub async fn person(
        &self,
        id: UserId,
        session: Option<String>,
    ) -> Result<PersonView, ApiError> {
        self.answer(async {
            let looks_at_self = id == self.user();
            if !looks_at_self {
                self.may_read_people()?;
            }
            let mut row = self.store().person_row(id).await?;
            let now = self.console.now();
            let grants = self.store().grants_of(id).await?;
            let grants: Vec<GrantRow> = grants.into_iter().map(|(_, row)| row).collect();
            let every_team = self.store().teams(&policy::system_scope()).await?;
            let by_group = self.by_group(&row, &every_team);
            row.roles = self.roles(&by_group, grants.iter());
            let own_token = Resource::new(Kind::Token, "", "");
            let may_make_token = match (looks_at_self, row.kind) {
                (true, PersonKind::Human) => Allowance::Allowed,
                (_, PersonKind::Service) => self.allowance(Action::ManageTokens, own_token),
                (false, PersonKind::Human) => Allowance::NotOffered,
            };
            // Who reads people reads the tokens of all on a page of their own.
            let tokens = self.token_lines(Some(id), None, TOKENS).await?.items;
            let may_manage = match looks_at_self {
                true => Allowance::NotOffered,
                false => self.allowance(Action::ManagePeople, resource(&row)),
            };
            let everywhere = Grant::new(Role::Viewer, None);
            let may_grant = match self.owned_teams().as_slice() {
                // An owner may grant in their team, which the form offers.
                [team, ..] => self.allowance(
                    Action::Grant,
                    Resource::grant(id, &row.name, &Grant::new(Role::Viewer, Some(*team))),
                ),
                [] => self.allowance(Action::Grant, Resource::grant(id, &row.name, &everywhere)),
            };
            let mut sessions = Vec::new();
            if looks_at_self || may_manage.allowed() {
                sessions = self.store().sessions_of(id, now).await?;
                for one in &mut sessions {
                    if Some(&one.id) == session.as_ref() {
                        one.here = Here::This;
                    }
                }
            }
            let scope = self.scope()?;
            let choice = |slug: String, name: String| (slug, name);
            let teams = self.store().teams(&scope).await?;
            let services = self.store().services_all(&scope).await?;
            let environments = self.store().environments(&scope).await?;
            Ok(PersonView {
                row,
                by_group,
                grants,
                sessions,
                tokens,
                secret: None,
                roles: Role::ALL
                    .iter()
                    .map(|role| choice(role.word().to_owned(), role.label().to_owned()))
                    .collect(),
                teams: teams
                    .into_iter()
                    .map(|team| choice(team.slug.to_string(), team.name.to_string()))
                    .collect(),
                services: services
                    .into_iter()
                    .map(|service| choice(service.slug.to_string(), service.name.to_string()))
                    .collect(),
                environments: environments
                    .into_iter()
                    .map(|environment| choice(environment.slug, environment.name))
                    .collect(),
                now,
                may_manage,
                may_grant,
                may_make_token,
            })
        })
        .await
    }

    pub(crate) fn may_read_people(&self) -> Result<(), Error> {
        self.permit(Action::ReadPeople, Resource::new(Kind::Person, "", ""))?;
        Ok(())
    }

    /// Teams this person owns.
    fn owned_teams(&self) -> Vec<domain::id::TeamId> {
        let owned = self
            .subject
            .grants
            .iter()
            .filter(|grant| grant.role == Role::Owner);
        owned.filter_map(|grant| grant.place.team).collect()
    }

    /// What somebody holds now, as one reads it.
    fn roles<'a>(
        &self,
        by_group: &[(String, String)],
        grants: impl Iterator<Item = &'a GrantRow>,
    ) -> Vec<String> {
        let now = self.console.now();
        let given = grants
            .filter(|grant| in_force(grant, now))
            .map(GrantRow::told);
        let mut roles: Vec<String> = by_group.iter().map(|(role, _)| role.clone()).collect();
        roles.extend(given);
        roles.dedup();
        roles
    }

    /// What the rules of the configuration give somebody for their groups: the role, and the group.
    pub(crate) fn by_group(&self, row: &PersonRow, teams: &[Team]) -> Vec<(String, String)> {
        let rules = self.console.rules_for(&row.issuer, &row.groups);
        rules
            .map(|(group, grant)| (told(grant, teams), group.to_owned()))
            .collect()
    }

    /// Keeps somebody out, or lets them in again.
    pub async fn set_person(&self, input: PersonInput) -> Result<(), ApiError> {
        self.answer(async {
            let id = person_id(&input.person)?;
            let state: PersonState = input.state.parse()?;
            let reason: Reason = input.reason.parse()?;
            let row = self.store().person_row(id).await?;
            let permit = self.permit(Action::ManagePeople, resource(&row))?;
            if id == self.user() || self.subject.selves.contains(&id) {
                return Err(Error::Conflict(
                    "You cannot keep yourself out or let yourself in. Ask another admin."
                        .to_owned(),
                ));
            }
            if row.state == state {
                return Err(Error::Conflict(match state {
                    PersonState::Active => format!("{} is let in already.", row.name),
                    PersonState::Disabled => format!("{} is kept out already.", row.name),
                }));
            }
            let now = self.console.now();
            self.store()
                .person_state(&permit, id, state, reason.as_str(), now)
                .await?;
            Ok(())
        })
        .await
    }

    /// Gives somebody a role.
    pub async fn give_role(&self, input: GrantInput) -> Result<(), ApiError> {
        self.answer(async {
            let person = person_id(&input.person)?;
            let role: Role = input.role.trim().parse()?;
            let row = self.store().person_row(person).await?;
            let scope = self.scope()?;
            let mut role_told = GrantRow {
                role: role.label().to_owned(),
                ..no_grant()
            };
            let mut place = Place::default();
            if let Some(slug) = named(&input.team) {
                let team = self.store().teams(&scope).await?;
                let team = team
                    .into_iter()
                    .find(|team| team.slug.as_str() == slug)
                    .ok_or_else(|| FieldError::new("team", "There is no such team. Choose one."))?;
                place.team = Some(team.id);
                role_told.team = Some(team.name.to_string());
            }
            if let Some(slug) = named(&input.service) {
                let service = self.store().service(&scope, slug).await?;
                if place.team.is_some_and(|team| team != service.team) {
                    return Err(FieldError::new(
                        "service",
                        format!(
                            "{} belongs to another team. Leave the team out, or choose its own.",
                            service.name
                        ),
                    )
                    .into());
                }
                // What somebody may read goes by team.
                place.team = Some(service.team);
                place.service = Some(service.id);
                role_told.service = Some(service.name.to_string());
            }
            if let Some(slug) = named(&input.environment) {
                let environment = self.store().environment(&scope, slug).await?;
                place.environment = Some(environment.id);
                role_told.environment = Some(environment.name.to_string());
            }
            if role.needs_team() && place.team.is_none() {
                return Err(FieldError::new(
                    "team",
                    format!("A {} belongs to a team. Choose one.", role.label()),
                )
                .into());
            }
            let grant = Grant { role, place };
            let permit = self.permit(Action::Grant, Resource::grant(person, &row.name, &grant))?;
            let reason: Reason = input.reason.parse()?;
            let now = self.console.now();
            let expires_at = expiry(&input.days, now)?;
            let held = self.store().grants_of(person).await?;
            if held
                .iter()
                .any(|(other, row)| *other == grant && in_force(row, now))
            {
                return Err(Error::Conflict(format!(
                    "{} is {} already.",
                    row.name,
                    role_told.told()
                )));
            }
            let new = NewGrant {
                id: GrantId(self.console.mint()),
                person,
                grant,
                told: role_told.told(),
                reason: reason.to_string(),
                expires_at,
            };
            self.store().grant(&permit, &new, now).await?;
            Ok(())
        })
        .await
    }

    /// Takes a role away that was given here.
    pub async fn take_role(&self, input: EndGrantInput) -> Result<(), ApiError> {
        self.answer(async {
            let person = person_id(&input.person)?;
            let id: GrantId = input.grant.parse().map_err(invalid("grant"))?;
            let row = self.store().person_row(person).await?;
            let held = self.store().grants_of(person).await?;
            let found = held.into_iter().find(|(_, row)| row.id == id);
            let (grant, told) = found
                .ok_or_else(|| Error::NotFound("There is no such role to take.".to_owned()))?;
            let permit = self.permit(Action::Grant, Resource::grant(person, &row.name, &grant))?;
            let reason: Reason = input.reason.parse()?;
            let now = self.console.now();
            self.store()
                .grant_end(&permit, person, id, &told.told(), reason.as_str(), now)
                .await?;
            Ok(())
        })
        .await
    }

    /// Ends sessions of somebody: one, or, without one, every one but `here`.
    pub async fn end_sessions(
        &self,
        input: EndSessionInput,
        here: Option<String>,
    ) -> Result<(), ApiError> {
        self.answer(async {
            let id = person_id(&input.person)?;
            let row = self.store().person_row(id).await?;
            // Everybody may end their own.
            let permit = match id == self.user() {
                true => policy::own(&self.subject, Action::ManagePeople, resource(&row))?,
                false => self.permit(Action::ManagePeople, resource(&row))?,
            };
            let here = here.unwrap_or_default();
            let which = match input.session.trim() {
                "" => Ending::AllBut(&here),
                one => Ending::One(one),
            };
            let now = self.console.now();
            self.store().sessions_end(&permit, id, which, now).await?;
            Ok(())
        })
        .await
    }
}

pub(crate) fn person_id(text: &str) -> Result<UserId, Error> {
    text.parse()
        .map_err(|error: domain::id::IdError| Error::NotFound(error.to_string()))
}

fn named(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

pub(crate) fn in_force(grant: &GrantRow, now: Timestamp) -> bool {
    grant.ended_at.is_none() && grant.expires_at.is_none_or(|end| now < end)
}

fn expiry(written: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let days = days(written, 1..=LONGEST)?;
    Ok(days.and_then(|days| now.checked_add(SignedDuration::from_hours(24 * days)).ok()))
}

/// A number of days that was written; nothing where nothing is.
pub(crate) fn days(written: &str, allowed: RangeInclusive<i64>) -> Result<Option<i64>, FieldError> {
    let Some(text) = named(written) else {
        return Ok(None);
    };
    let days = text.parse().ok().filter(|days| allowed.contains(days));
    let (least, most) = (allowed.start(), allowed.end());
    days.map(Some).ok_or_else(|| {
        FieldError::new(
            "days",
            format!("Write a number of days from {least} to {most}."),
        )
    })
}

/// A role that nobody has, to be filled in.
fn no_grant() -> GrantRow {
    GrantRow {
        id: GrantId(Default::default()),
        role: String::new(),
        team: None,
        service: None,
        environment: None,
        reason: String::new(),
        granted_by: String::new(),
        granted_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
        ended_at: None,
        ended_by: String::new(),
        ended_reason: String::new(),
    }
}
