//! Signing in, and sessions.

use domain::{
    SignedDuration, Timestamp, audit::Request, id::UserId, person::PersonState, team::Team,
};
use policy::{Action, Grant, Kind, Resource, Subject, SystemAction};
use store::{Ending, Person};
use view::{access::Viewer, error::ApiError};

use crate::{Console, Error, console::Rule};

/// Who the identity provider says somebody is.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub email: String,
    /// What the provider says of the address, if it says anything.
    pub email_verified: Option<bool>,
    pub groups: Vec<String>,
}

/// Whether somebody may act here.
pub(crate) enum Standing {
    In(Subject),
    Out { why: String },
}

/// A role and where it is held, as one reads it: “operator”, “member of Payments”, “SRE of Payments, for one service”.
pub(crate) fn told(grant: &Grant, teams: &[Team]) -> String {
    let team = teams.iter().find(|team| Some(team.id) == grant.place.team);
    let only = match (grant.place.service, grant.place.environment) {
        (None, None) => "",
        (Some(_), None) => ", for one service",
        (None, Some(_)) => ", in one environment",
        (Some(_), Some(_)) => ", for one service in one environment",
    };
    let role = grant.role.label();
    match team {
        Some(team) => format!("{role} of {}{only}", team.name),
        None => format!("{role}{only}"),
    }
}

impl Console {
    /// Keys the person by issuer and subject, and turns groups into grants by the role rules.
    pub async fn sign_in(&self, who: SignIn, request: Request) -> Result<Subject, ApiError> {
        self.signed_in(who, request)
            .await
            .map_err(|error| self.api(error))
    }

    async fn signed_in(&self, who: SignIn, request: Request) -> Result<Subject, Error> {
        let issuer = who.issuer;
        let person = Person {
            id: UserId(self.mint()),
            issuer: issuer.clone(),
            subject: who.subject,
            name: who.name.clone(),
            // An address that the provider says it did not verify may be anybody's.
            human: match (who.email_verified, who.email.trim().to_lowercase()) {
                (Some(false), _) => String::new(),
                (Some(true), email) => email,
                // It says so of its own people only.
                (None, email) if email.is_empty() => email,
                (None, email) => format!("{email} {issuer}"),
            },
            email: who.email,
            groups: who.groups,
        };
        let permit = self.system(
            SystemAction::SIGN_IN,
            Resource::new(Kind::Person, person.id, &who.name),
        );
        let permit = permit.with_request(request);
        let user = self.store().sign_in(&permit, &person, self.now()).await?;
        match self.standing(user).await? {
            Standing::In(subject) => Ok(subject),
            Standing::Out { why } => Err(Error::Conflict(why)),
        }
    }

    /// Who somebody is and what they hold just now; `None` for whom an admin keeps out, and for nobody.
    pub async fn subject(&self, user: UserId) -> Result<Option<Subject>, ApiError> {
        match self.standing(user).await {
            Ok(Standing::In(subject)) => Ok(Some(subject)),
            Ok(Standing::Out { .. }) => Ok(None),
            Err(error) => Err(self.api(error)),
        }
    }

    /// Who somebody is and what they hold, here and now.
    pub(crate) async fn standing(&self, user: UserId) -> Result<Standing, Error> {
        self.standing_with(user, None).await
    }

    /// The same, without what their groups give where the provider has not confirmed them for so long: a session ends, but
    /// nobody tells a token that its holder has left.
    pub(crate) async fn standing_with(
        &self,
        user: UserId,
        confirmed_within: Option<SignedDuration>,
    ) -> Result<Standing, Error> {
        let Some(found) = self.store().person_now(user, self.now()).await? else {
            return Ok(Standing::Out {
                why: "Slipway does not know you.".to_owned(),
            });
        };
        if found.state == PersonState::Disabled {
            return Ok(Standing::Out {
                why: format!(
                    "An admin keeps you out of Slipway: {}. Ask them to let you in.",
                    found.state_reason.trim_end_matches('.')
                ),
            });
        }
        let mut grants = found.grants;
        let age = self.now().duration_since(found.seen_at);
        if confirmed_within.is_none_or(|longest| age <= longest) {
            grants.extend(
                self.rules_for(&found.person.issuer, &found.person.groups)
                    .map(|(_, grant)| grant.clone()),
            );
        }
        let subject = Subject::new(user, found.person.name, found.selves, grants);
        let subject = subject.of_kind(found.kind);
        Ok(Standing::In(subject))
    }

    /// What the configuration gives to groups.
    pub(crate) fn rules(&self) -> &[Rule] {
        self.inner.rules.get().map_or(&[], Vec::as_slice)
    }

    /// What the rules give whoever this provider says to belong to these groups, each with the group.
    pub(crate) fn rules_for<'a>(
        &'a self,
        issuer: &'a str,
        groups: &'a [String],
    ) -> impl Iterator<Item = (&'a str, &'a Grant)> {
        let rules = self.rules().iter();
        rules
            .filter(move |rule| rule.is_for(issuer, groups))
            .map(|rule| (rule.group.as_str(), &rule.grant))
    }

    /// What pages show of the signed-in person.
    pub async fn viewer(&self, subject: &Subject) -> Result<Viewer, ApiError> {
        let teams = self
            .store()
            .teams(&policy::system_scope())
            .await
            .map_err(|error| self.api(error.into()))?;
        let roles = subject.grants.iter().map(|grant| told(grant, &teams));
        let roles = roles.collect();
        let everybody = Resource::new(Kind::Person, "", "");
        let people = self
            .ctx(subject.clone())
            .allowance(Action::ReadPeople, everybody);
        Ok(Viewer {
            id: subject.user,
            name: subject.name.clone(),
            people,
            roles,
        })
    }

    /// Keeps what the browser of a session says it is, and where it was.
    pub async fn session_describe(
        &self,
        id_hash: &str,
        agent: &str,
        address: &str,
    ) -> Result<(), ApiError> {
        let agent: String = agent
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        self.store()
            .session_describe(id_hash, &agent, address)
            .await
            .map_err(|error| self.api(error.into()))
    }

    /// Ends sessions because the identity provider says that somebody signed out there: those that began with the session
    /// `there`, or all of them. Of whom nobody knows anything here, nothing is ended.
    pub async fn signed_out_there(
        &self,
        issuer: &str,
        subject: Option<&str>,
        there: Option<&str>,
        request: Request,
    ) -> Result<(), ApiError> {
        let ended = async {
            let store = self.store();
            let Some((user, name)) = store.signed_in_there(issuer, subject, there).await? else {
                return Ok(());
            };
            let person = Resource::new(Kind::Person, user, &name);
            let permit = self
                .system(SystemAction::SIGN_IN, person)
                .with_request(request);
            let which = Ending::There(there);
            store.sessions_end(&permit, user, which, self.now()).await?;
            Ok(())
        };
        ended.await.map_err(|error: Error| self.api(error))
    }

    /// Keeps a new session under the hash of its id; `there` is its name at the identity provider.
    pub async fn session_insert(
        &self,
        id_hash: &str,
        data: &str,
        user: Option<UserId>,
        there: &str,
        expires_at: Timestamp,
    ) -> Result<(), ApiError> {
        self.store()
            .session_insert(id_hash, data, user, there, expires_at, self.now())
            .await
            .map_err(|error| self.api(error.into()))
    }

    /// Changes a session, unless it was ended meanwhile.
    pub async fn session_update(
        &self,
        id_hash: &str,
        data: &str,
        user: Option<UserId>,
        expires_at: Timestamp,
    ) -> Result<(), ApiError> {
        self.store()
            .session_update(id_hash, data, user, expires_at, self.now())
            .await
            .map_err(|error| self.api(error.into()))
    }

    /// The session under this hash, unless it has expired.
    pub async fn session_load(&self, id_hash: &str) -> Result<Option<String>, ApiError> {
        self.store()
            .session_load(id_hash, self.now())
            .await
            .map_err(|error| self.api(error.into()))
    }

    pub async fn session_delete(&self, id_hash: &str) -> Result<(), ApiError> {
        self.store()
            .session_delete(id_hash)
            .await
            .map_err(|error| self.api(error.into()))
    }
}
