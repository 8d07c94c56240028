//! What people are refused: written down, and told with who could let them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use domain::{SignedDuration, Timestamp, audit::AuditNote, id::UserId, text::one_of};
use policy::{Asked, Denied, Resource, Role, Subject};
use store::Giver;
use view::error::ApiError;

use crate::{Console, Ctx, Error};

/// Who asks again and again is written down once in this time.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Refusals of one person that are written down in that time: the trail is kept for ever, and anybody can be refused.
const AT_MOST: usize = 20;
/// People who are named.
const NAMED: u32 = 3;

/// What was refused lately, by whom it was asked.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<UserId, Vec<Refusal>>>);

struct Refusal {
    asked: Asked,
    at: Timestamp,
    /// What was answered; empty until it is known.
    said: String,
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// It is to be written down, by whoever got this.
    New,
    /// It was written down, and this was said.
    Again(String),
    /// Too many were, of this person.
    Full,
}

impl Refusals {
    fn claim(&self, user: UserId, asked: &Asked, now: Timestamp) -> Claim {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lately| {
            lately.retain(|refusal| now.duration_since(refusal.at) < AGAIN_AFTER);
            !lately.is_empty()
        });
        let lately = all.entry(user).or_default();
        if let Some(same) = lately.iter().find(|refusal| same(&refusal.asked, asked)) {
            return Claim::Again(same.said.clone());
        }
        if lately.len() >= AT_MOST {
            return Claim::Full;
        }
        lately.push(Refusal {
            asked: asked.clone(),
            at: now,
            said: String::new(),
        });
        Claim::New
    }

    /// Keeps what was said; nothing is kept of what could not be written down.
    fn settle(&self, user: UserId, asked: &Asked, said: Option<&str>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lately) = all.get_mut(&user) else {
            return;
        };
        match said {
            None => lately.retain(|refusal| !same(&refusal.asked, asked)),
            Some(said) => {
                let mut found = lately.iter_mut();
                if let Some(found) = found.find(|refusal| same(&refusal.asked, asked)) {
                    said.clone_into(&mut found.said);
                }
            }
        }
    }
}

/// The same was asked of the same, whatever it was called.
fn same(one: &Asked, other: &Asked) -> bool {
    let key = |asked: &Asked| {
        let Resource {
            kind, place, held, ..
        } = asked.resource;
        (asked.action, kind, place, held)
    };
    key(one) == key(other) && one.resource.id == other.resource.id
}

impl Ctx {
    /// Writes down that something was refused, and says it with who could give what is missing.
    pub(crate) async fn refused(&self, denied: Denied) -> ApiError {
        let Some(asked) = denied.asked() else {
            return self.console.api(denied.into());
        };
        let (now, user) = (self.console.now(), self.user());
        let refusals = &self.console.inner.refusals;
        let message = match refusals.claim(user, asked, now) {
            Claim::New => {
                let written = self.note_refusal(&denied, asked, now).await;
                let said = self.said(&denied).await;
                if let Err(error) = &written {
                    tracing::error!(%error, "what was refused could not be written down");
                }
                refusals.settle(user, asked, written.is_ok().then_some(said.as_str()));
                said
            }
            Claim::Again(said) if !said.is_empty() => said,
            Claim::Again(_) => with_givers(&denied, &[]),
            Claim::Full => {
                tracing::warn!(%user, action = %asked.action, about = %asked.resource.id, "refused, and not written down: {AT_MOST} were of this person within ten minutes");
                with_givers(&denied, &[])
            }
        };
        ApiError::Forbidden { message }
    }

    async fn said(&self, denied: &Denied) -> String {
        let givers = self.console.givers(denied, &self.subject).await;
        with_givers(
            denied,
            &givers.unwrap_or_else(|error| {
                tracing::error!(%error, "who could give a role could not be read");
                Vec::new()
            }),
        )
    }

    async fn note_refusal(
        &self,
        denied: &Denied,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(permit) = policy::refusal(&self.subject, denied) else {
            return Ok(());
        };
        let role = asked.resource.held.map(|(role, _)| format!(", {role}"));
        let summary = format!(
            "Refused: {}{}",
            asked.action.verb().to_lowercase(),
            role.unwrap_or_default()
        );
        let note = AuditNote::new("access.refuse", summary, denied.of_another());
        Ok(self.store().note(&permit, &note, now).await?)
    }
}

impl Console {
    /// Names of some who could give somebody what is missing, beside whoever manages the groups.
    pub(crate) async fn givers(
        &self,
        denied: &Denied,
        who: &Subject,
    ) -> Result<Vec<String>, Error> {
        let Denied::MissingRole { needs, asked, .. } = denied else {
            return Ok(Vec::new());
        };
        let place = asked.resource.place;
        let giving: BTreeSet<Role> = needs
            .iter()
            .flat_map(|role| policy::givers_of(*role, place))
            .collect();
        let wanted: Vec<Giver> = giving
            .into_iter()
            // What is held in a team only gives nothing where there is none.
            .filter(|role| !role.needs_team() || place.team.is_some())
            .map(|role| {
                let team = place.team.filter(|_| role.needs_team());
                let of_it = self
                    .rules()
                    .iter()
                    .filter(|rule| rule.grant.role == role && rule.grant.place.team == team);
                let groups = of_it.map(|rule| (rule.group.clone(), rule.issuer.clone()));
                Giver {
                    role,
                    team,
                    groups: groups.collect(),
                }
            })
            .collect();
        let selves: Vec<UserId> = who.selves.iter().copied().chain([who.user]).collect();
        let found = self.store().givers(&wanted, &selves, self.now(), NAMED);
        Ok(found.await?)
    }
}

/// The refusal, and who could give what is missing, if something is.
fn with_givers(denied: &Denied, givers: &[String]) -> String {
    match denied {
        Denied::MissingRole { .. } => format!("{denied} {}", who_can_give(givers)),
        Denied::Forbidden { .. } | Denied::NoRole => denied.to_string(),
    }
}

/// “Alma Okafor or Otto Owner can give it, or whoever manages your sign-on groups.”
fn who_can_give(givers: &[String]) -> String {
    match one_of(givers).as_str() {
        "" => "Whoever manages your sign-on groups can give it.".to_owned(),
        names => format!("{names} can give it, or whoever manages your sign-on groups."),
    }
}

#[cfg(test)]
mod tests {
    use policy::{Action, Grant, Kind};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn who_asks_again_and_again_is_written_down_once_in_a_while() {
        let refusals = Refusals::default();
        let asked = |id: u32| Asked {
            action: Action::Release,
            resource: Resource::new(Kind::Rollout, id, "a rollout"),
        };
        let (lena, omar) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let again = || Claim::Again("said".to_owned());
        for (who, what, minutes, expected) in [
            (lena, 1, 0, Claim::New),
            (lena, 1, 9, again()),
            (lena, 2, 9, Claim::New),
            (omar, 1, 9, Claim::New),
            (lena, 1, 10, Claim::New),
        ] {
            assert_eq!(refusals.claim(who, &asked(what), at(minutes)), expected);
            refusals.settle(who, &asked(what), Some("said"));
        }
        let claims: Vec<Claim> = (0..100)
            .map(|what| refusals.claim(omar, &asked(1000 + what), at(10)))
            .collect();
        let new = claims.iter().filter(|claim| **claim == Claim::New);
        assert_eq!(new.count(), AT_MOST - 1);
        assert_eq!(claims[99], Claim::Full);
        assert_eq!(
            refusals.claim(lena, &asked(3), at(10)),
            Claim::New,
            "of others more"
        );
        // What could not be written down is tried again.
        refusals.settle(lena, &asked(3), None);
        assert_eq!(refusals.claim(lena, &asked(3), at(10)), Claim::New);
    }

    #[test]
    fn another_role_for_the_same_person_is_another_refusal() {
        let refusals = Refusals::default();
        let (lena, omar) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let giving = |role| Asked {
            action: Action::Grant,
            resource: Resource::grant(omar, "Omar", &Grant::new(role, None)),
        };
        let now = Timestamp::UNIX_EPOCH;
        for role in [Role::Viewer, Role::Admin] {
            assert_eq!(refusals.claim(lena, &giving(role), now), Claim::New);
        }
    }

    #[test]
    fn givers_are_named_in_a_sentence() {
        let names = ["Alma", "Otto", "Olga"].map(str::to_owned);
        for (many, expected) in [
            (0, "Whoever manages your sign-on groups can give it."),
            (1, "Alma can give it, or whoever"),
            (3, "Alma, Otto or Olga can give it, or whoever"),
        ] {
            let said = who_can_give(&names[..many]);
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
