//! Everything that anybody holds, for whoever reviews who may do what.

use std::collections::BTreeSet;

use domain::{
    id::UserId,
    person::{PersonKind, PersonState},
};
use policy::Kind;
use tokio::sync::Semaphore;
use view::{error::ApiError, person::HeldLine};

use crate::{Ctx, Error, person::in_force};

/// People and tokens read at once.
const PIECE: u32 = 500;

impl Ctx {
    /// Every role that people and tokens hold now: people by name, then tokens, newest first.
    pub async fn review(&self) -> Result<Vec<HeldLine>, ApiError> {
        self.answer(async {
            // Each holds its lines in memory.
            static PLACES: Semaphore = Semaphore::const_new(2);
            self.may_read_people()?;
            let _place = PLACES.acquire().await;
            let (mut lines, out) = self.held_by_people().await?;
            lines.extend(self.held_by_tokens(&out).await?);
            let what = format!("{} lines of who holds what", lines.len());
            self.exported(Kind::Person, &what, "").await?;
            Ok(lines)
        })
        .await
    }

    /// With the ids of who is kept out.
    async fn held_by_people(&self) -> Result<(Vec<HeldLine>, BTreeSet<UserId>), Error> {
        let now = self.console.now();
        let teams = self.store().teams(&policy::system_scope()).await?;
        let mut out = self.store().out_by_another().await?;
        let mut lines = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.store().people(cursor.as_deref(), PIECE).await?;
            let ids: Vec<UserId> = page.items.iter().map(|row| row.id).collect();
            let mut grants = self.store().grants_of_each(&ids).await?;
            for row in page.items {
                if row.state == PersonState::Disabled {
                    out.insert(row.id);
                }
                let (kind, seen_at) = match row.kind {
                    PersonKind::Human => ("person", Some(row.seen_at)),
                    PersonKind::Service => ("service account", None),
                };
                let held = |role: String, given_by: String| HeldLine {
                    kind: kind.to_owned(),
                    holder: String::new(),
                    id: row.id.to_string(),
                    name: row.name.clone(),
                    email: row.email.clone(),
                    state: match out.contains(&row.id) {
                        true => PersonState::Disabled.to_string(),
                        false => PersonState::Active.to_string(),
                    },
                    role,
                    given_by,
                    reason: String::new(),
                    since: None,
                    until: None,
                    seen_at,
                };
                let by_group = self.by_group(&row, &teams).into_iter();
                lines.extend(by_group.map(|(role, group)| held(role, format!("group {group}"))));
                let given = grants.remove(&row.id).unwrap_or_default().into_iter();
                let given = given.filter(|(_, grant)| in_force(grant, now));
                lines.extend(given.map(|(_, grant)| HeldLine {
                    since: Some(grant.granted_at),
                    until: grant.expires_at,
                    reason: grant.reason.clone(),
                    ..held(grant.told(), grant.granted_by)
                }));
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok((lines, out));
            }
        }
    }

    /// `out` are the ids of who is kept out.
    async fn held_by_tokens(&self, out: &BTreeSet<UserId>) -> Result<Vec<HeldLine>, Error> {
        let now = self.console.now();
        let mut lines = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.token_lines(None, cursor.as_deref(), PIECE).await?;
            for token in page.items.into_iter().filter(|token| !token.is_over(now)) {
                let holder = token.holder.as_ref().map(|(id, _)| *id);
                let state = match holder.is_some_and(|holder| out.contains(&holder)) {
                    true => PersonState::Disabled,
                    false => PersonState::Active,
                };
                let holder = holder.map(|holder| holder.to_string());
                let holder = holder.unwrap_or_default();
                lines.extend(token.roles.iter().map(|role| HeldLine {
                    kind: "token".to_owned(),
                    holder: holder.clone(),
                    id: token.id.to_string(),
                    name: token.name.clone(),
                    email: String::new(),
                    state: state.to_string(),
                    role: role.clone(),
                    given_by: token.made_by.clone(),
                    reason: String::new(),
                    since: Some(token.created_at),
                    until: Some(token.expires_at),
                    seen_at: token.used_at,
                }));
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(lines);
            }
        }
    }
}
