//! What people are refused: written down, and told with who could let them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{SignedDuration, Timestamp, audit::AuditNote, id::UserId};
use policy::{Action, Asked, Denied, Role};
use store::Giver;
use view::error::ApiError;

use crate::{Ctx, Error};

/// Who asks again and again is written down once in this time.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Refusals that are remembered; beyond it all are written down.
const REMEMBERED: usize = 10_000;
/// People who are named.
const NAMED: u32 = 3;

/// What was refused lately: who, what, and the id of the object.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<(UserId, Action, String), Timestamp>>);

impl Refusals {
    /// Nobody was refused this lately.
    fn is_new(&self, user: UserId, asked: &Asked, now: Timestamp) -> bool {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.retain(|_, at| now.duration_since(*at) < AGAIN_AFTER);
        }
        let key = (user, asked.action, asked.resource.id.clone());
        match lately.get(&key) {
            Some(at) if now.duration_since(*at) < AGAIN_AFTER => false,
            _ if lately.len() >= REMEMBERED => true,
            _ => {
                lately.insert(key, now);
                true
            }
        }
    }
}

impl Ctx {
    /// Writes down that something was refused, and says it with who could give what is missing.
    pub(crate) async fn refused(&self, denied: Denied) -> ApiError {
        if let Err(error) = self.note_refusal(&denied).await {
            tracing::error!(%error, "what was refused could not be written down");
        }
        let Denied::MissingRole { asked, .. } = &denied else {
            return self.console.api(denied.into());
        };
        let message = match self.givers(asked).await {
            Ok(givers) => format!("{denied} {}", who_can_give(&givers)),
            Err(error) => {
                tracing::error!(%error, "who could give a role could not be read");
                format!("{denied} {}", who_can_give(&[]))
            }
        };
        ApiError::Forbidden { message }
    }

    async fn note_refusal(&self, denied: &Denied) -> Result<(), Error> {
        let Some(asked) = denied.asked() else {
            return Ok(());
        };
        let now = self.console.now();
        if !self.console.inner.refusals.is_new(self.user(), asked, now) {
            return Ok(());
        }
        let Some(permit) = policy::refusal(&self.subject, denied) else {
            return Ok(());
        };
        let summary = format!("Refused: {}", asked.action.verb().to_lowercase());
        let note = AuditNote::new("access.refuse", summary, denied.beside());
        self.store().refusal(&permit, &note, now).await?;
        Ok(())
    }

    /// Names of some who could give what it takes, beside whoever manages the groups.
    pub(crate) async fn givers(&self, asked: &Asked) -> Result<Vec<String>, Error> {
        let rules = self.console.rules();
        let groups = |role: Role, team| {
            let of_it = rules.iter().filter(move |(_, grant)| {
                grant.role == role && (grant.place.team.is_none() || grant.place.team == team)
            });
            of_it.map(|(group, _)| group.clone())
        };
        let team = asked.resource.place.team;
        let mut wanted = vec![Giver {
            role: Role::Admin,
            team: None,
            groups: groups(Role::Admin, None).collect(),
        }];
        if team.is_some() {
            wanted.push(Giver {
                role: Role::Owner,
                team,
                groups: groups(Role::Owner, team).collect(),
            });
        }
        let now = self.console.now();
        let selves: Vec<UserId> = self
            .subject
            .selves
            .iter()
            .copied()
            .chain([self.user()])
            .collect();
        Ok(self.store().givers(&wanted, &selves, now, NAMED).await?)
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
