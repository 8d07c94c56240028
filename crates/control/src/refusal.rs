//! What people are refused: written down, and told with who could let them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{SignedDuration, Timestamp, audit::AuditNote, id::UserId};
use policy::{Action, Asked, Denied, Role, Subject};
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
    action: Action,
    /// Id of what it was about.
    about: String,
    at: Timestamp,
}

impl Refusals {
    /// Whether it is to be written down.
    fn is_new(&self, user: UserId, asked: &Asked, now: Timestamp) -> bool {
        let mut all = self.lately(now);
        let lately = all.entry(user).or_default();
        let same = |refusal: &Refusal| {
            refusal.action == asked.action && refusal.about == asked.resource.id
        };
        lately.len() < AT_MOST && !lately.iter().any(same)
    }

    /// It was written down.
    fn keep(&self, user: UserId, asked: &Asked, at: Timestamp) {
        self.lately(at).entry(user).or_default().push(Refusal {
            action: asked.action,
            about: asked.resource.id.clone(),
            at,
        });
    }

    fn lately(&self, now: Timestamp) -> MutexGuard<'_, HashMap<UserId, Vec<Refusal>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lately| {
            lately.retain(|refusal| now.duration_since(refusal.at) < AGAIN_AFTER);
            !lately.is_empty()
        });
        all
    }
}

impl Ctx {
    /// Writes down that something was refused, and says it with who could give what is missing.
    pub(crate) async fn refused(&self, denied: Denied) -> ApiError {
        if let Err(error) = self.note_refusal(&denied).await {
            tracing::error!(%error, "what was refused could not be written down");
        }
        if !matches!(denied, Denied::MissingRole { .. }) {
            return self.console.api(denied.into());
        }
        let givers = self.console.givers(&denied, &self.subject).await;
        let givers = givers.unwrap_or_else(|error| {
            tracing::error!(%error, "who could give a role could not be read");
            Vec::new()
        });
        ApiError::Forbidden {
            message: format!("{denied} {}", who_can_give(&givers)),
        }
    }

    async fn note_refusal(&self, denied: &Denied) -> Result<(), Error> {
        let (now, user) = (self.console.now(), self.user());
        let refusals = &self.console.inner.refusals;
        let asked = denied
            .asked()
            .filter(|asked| refusals.is_new(user, asked, now));
        let (Some(asked), Some(permit)) = (asked, policy::refusal(&self.subject, denied)) else {
            return Ok(());
        };
        let summary = format!("Refused: {}", asked.action.verb().to_lowercase());
        let note = AuditNote::new("access.refuse", summary, denied.of_another());
        self.store().refusal(&permit, &note, now).await?;
        refusals.keep(user, asked, now);
        Ok(())
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
                    .filter(|(_, grant)| grant.role == role && grant.place.team == team);
                Giver {
                    role,
                    team,
                    groups: of_it.map(|(group, _)| group.clone()).collect(),
                }
            })
            .collect();
        let selves: Vec<UserId> = who.selves.iter().copied().chain([who.user]).collect();
        let found = self.store().givers(&wanted, &selves, self.now(), NAMED);
        Ok(found.await?)
    }
}

/// “Alma Okafor or Otto Owner can give it, or whoever manages your sign-on groups.”
fn who_can_give(givers: &[String]) -> String {
    match givers {
        [] => "Whoever manages your sign-on groups can give it.".to_owned(),
        [one] => format!("{one} can give it, or whoever manages your sign-on groups."),
        [first @ .., last] => format!(
            "{} or {last} can give it, or whoever manages your sign-on groups.",
            first.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use policy::{Kind, Resource};
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
        for (who, what, minutes, expected) in [
            (lena, 1, 0, true),
            (lena, 1, 9, false),
            (lena, 2, 9, true),
            (omar, 1, 9, true),
            (lena, 1, 10, true),
        ] {
            assert_eq!(refusals.is_new(who, &asked(what), at(minutes)), expected);
            if expected {
                refusals.keep(who, &asked(what), at(minutes));
            }
        }
        let written = (0..100).filter(|what| {
            let new = refusals.is_new(omar, &asked(1000 + what), at(10));
            if new {
                refusals.keep(omar, &asked(1000 + what), at(10));
            }
            new
        });
        assert_eq!(written.count(), AT_MOST - 1);
        assert!(refusals.is_new(lena, &asked(3), at(10)), "of others more");
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
