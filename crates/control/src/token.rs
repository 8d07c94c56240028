//! Tokens of the API: made, used, listed, ended.

use domain::{
    SignedDuration, Timestamp,
    id::{TeamId, TokenId, UserId},
    person::{PersonKind, TokenReach},
    team::Team,
    text::{FieldError, Name, Reason, Slug},
};
use policy::{Action, Grant, Kind, Permit, Resource, Role, Subject, SystemAction};
use sha2::{Digest as _, Sha256};
use store::{Acts, Holder, TokenRow};
use view::{
    error::ApiError,
    input::{AccountInput, EndTokenInput, TokenInput},
    page::Page,
    token::{TokenLine, TokenList},
};

use crate::{
    Console, Ctx, Error,
    access::{Standing, told},
    error::invalid,
    person::{days, person_id},
};

const PAGE: u32 = 50;
const PREFIX: &str = "slp_";
/// Of a person who has not signed in for longer, tokens may no more what their groups give.
const GROUPS_CONFIRMED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days a token may be used for.
const LONGEST: i64 = 366;

/// A token whose roles are known.
struct Minted<'a> {
    id: TokenId,
    name: &'a Name,
    acts: Acts,
    days: i64,
}

/// A token for machines and the command line.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for; shown wherever the token acts.
    pub name: Name,
    pub roles: Vec<(Role, Option<Slug>)>,
    pub days: u32,
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a token holds that acts for itself.
fn own_grants(id: TokenId, grants_json: &str) -> Result<Vec<Grant>, Error> {
    serde_json::from_str(grants_json)
        .map_err(|error| Error::Internal(format!("token {id}: {error}")))
}

fn line(row: TokenRow, teams: &[Team]) -> Result<TokenLine, Error> {
    let (holder, roles) = match row.acts {
        Acts::Itself { grants_json, .. } => {
            let grants = own_grants(row.id, &grants_json)?;
            (
                None,
                grants.iter().map(|grant| told(grant, teams)).collect(),
            )
        }
        Acts::For { holder, reach } => {
            let may = match reach {
                TokenReach::All => format!("all that {} may", holder.name),
                TokenReach::Read => format!("reads as {}", holder.name),
            };
            (Some((holder.id, holder.name)), vec![may])
        }
    };
    Ok(TokenLine {
        id: row.id,
        holder,
        roles,
        name: row.name,
        made_by: row.made_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
        ended_at: row.ended_at,
        ended_by: row.ended_by,
        ended_reason: row.ended_reason,
    })
}

impl Ctx {
    /// A page of tokens, newest first, for whoever reads who may do what.
    pub async fn tokens(&self, cursor: Option<String>) -> Result<TokenList, ApiError> {
        self.answer(async {
            self.may_read_people()?;
            Ok(TokenList {
                page: self.token_lines(None, cursor.as_deref(), PAGE).await?,
                now: self.console.now(),
                may_end: self.allowance(Action::ManageTokens, Resource::new(Kind::Token, "", "")),
            })
        })
        .await
    }

    pub(crate) async fn token_lines(
        &self,
        holder: Option<UserId>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TokenLine>, Error> {
        let tokens = self.store().tokens(holder, cursor, limit).await?;
        let teams = self.store().teams(&policy::system_scope()).await?;
        let lines = tokens.items.into_iter().map(|row| line(row, &teams));
        Ok(Page {
            items: lines.collect::<Result<_, _>>()?,
            next: tokens.next,
        })
    }

    /// Makes a token and gives its secret, which is never shown again; only its hash is kept. People make their own, and
    /// who keeps tokens makes those of service accounts.
    pub async fn make_token(&self, input: TokenInput) -> Result<String, ApiError> {
        self.answer(async {
            let holder = person_id(&input.person)?;
            let name: Name = input.name.parse()?;
            let reach: TokenReach = input.reach.parse()?;
            let days = days(&input.days, 1..=LONGEST)?
                .ok_or_else(|| FieldError::new("days", "Say for how many days it is needed."))?;
            let id = TokenId(self.console.mint());
            let permit = match holder == self.user() {
                true => policy::own_token(&self.subject, id, &name)?,
                false => {
                    self.permit(Action::ManageTokens, Resource::new(Kind::Token, id, &name))?
                }
            };
            let row = self.store().person_row(holder).await?;
            if holder != self.user() && row.kind == PersonKind::Human {
                return Err(Error::Conflict(format!(
                    "Nobody makes tokens that act for {}, who makes them on their own page.",
                    row.name
                )));
            }
            let holder = Holder {
                id: holder,
                name: row.name,
            };
            let new = Minted {
                id,
                name: &name,
                acts: Acts::For { holder, reach },
                days,
            };
            self.console.mint_token(&permit, new).await
        })
        .await
    }

    /// Makes a service account, which holds no role yet; gives its id.
    pub async fn make_account(&self, input: AccountInput) -> Result<UserId, ApiError> {
        self.answer(async {
            let id = UserId(self.console.mint());
            let name: Name = input.name.parse()?;
            let permit =
                self.permit(Action::ManagePeople, Resource::new(Kind::Person, id, &name))?;
            let reason: Reason = input.reason.parse()?;
            let now = self.console.now();
            self.store()
                .service_account(&permit, id, name.as_str(), reason.as_str(), now)
                .await?;
            Ok(id)
        })
        .await
    }

    /// Ends a token: its next use is refused. Everybody may end their own.
    pub async fn end_token(&self, input: EndTokenInput) -> Result<(), ApiError> {
        self.answer(async {
            let id: TokenId = input.token.parse().map_err(invalid("token"))?;
            let token = self.store().token(id).await;
            let own = token.as_ref().is_ok_and(
                |token| matches!(&token.acts, Acts::For { holder, .. } if holder.id == self.user()),
            );
            if !own {
                // Whether there is such a token is for those who may know.
                self.may_read_people()?;
            }
            let token = token?;
            let permit = match own {
                true => policy::own_token(&self.subject, id, &token.name)?,
                false => {
                    let resource = Resource::new(Kind::Token, id, &token.name);
                    self.permit(Action::ManageTokens, resource)?
                }
            };
            let reason: Reason = input.reason.parse()?;
            let now = self.console.now();
            self.store()
                .token_end(&permit, id, reason.as_str(), now)
                .await?;
            Ok(())
        })
        .await
    }
}

impl Console {
    async fn granted(&self, role: Role, team: Option<&Slug>) -> Result<Grant, Error> {
        let team = match team {
            None => None,
            Some(slug) => Some(self.team_by_slug(slug).await?),
        };
        Ok(Grant::new(role, team))
    }

    async fn team_by_slug(&self, slug: &Slug) -> Result<TeamId, Error> {
        let teams = self.store().teams(&policy::system_scope()).await?;
        teams
            .iter()
            .find(|team| team.slug == *slug)
            .map(|team| team.id)
            .ok_or_else(|| {
                Error::NotFound(format!(
                    "There is no team “{slug}”. Name it in a role rule of the configuration."
                ))
            })
    }

    /// Makes a token and gives its secret, which is never shown again; only its hash is kept.
    pub async fn create_token(&self, new: NewToken) -> Result<String, ApiError> {
        let work = async {
            let mut grants = Vec::new();
            for (role, team) in &new.roles {
                grants.push(self.granted(*role, team.as_ref()).await?);
            }
            let id = TokenId(self.mint());
            let permit = self.system(
                SystemAction::SIGN_IN,
                Resource::new(Kind::Token, id, &new.name),
            );
            let acts = Acts::Itself {
                user: UserId(self.mint()),
                grants_json: serde_json::to_string(&grants)
                    .map_err(|error| Error::Internal(error.to_string()))?,
            };
            let new = Minted {
                id,
                name: &new.name,
                acts,
                days: i64::from(new.days),
            };
            self.mint_token(&permit, new).await
        };
        work.await.map_err(|error: Error| self.api(error))
    }

    async fn mint_token(&self, permit: &Permit, new: Minted<'_>) -> Result<String, Error> {
        let secret = format!("{PREFIX}{}", hex(&self.inner.clock.random()));
        let now = self.now();
        let row = TokenRow {
            id: new.id,
            hash: hash(&secret),
            acts: new.acts,
            name: new.name.to_string(),
            made_by: permit.actor().name().to_owned(),
            created_at: now,
            expires_at: now
                .checked_add(SignedDuration::from_hours(24 * new.days))
                .unwrap_or(Timestamp::MAX),
            used_at: None,
            ended_at: None,
            ended_by: String::new(),
            ended_reason: String::new(),
        };
        self.store().token_insert(permit, &row).await?;
        Ok(secret)
    }

    /// Whom a token stands for, with what they hold now and the token in their request; `None` when it is unknown, was ended
    /// or has expired, or when an admin keeps its holder out.
    pub async fn subject_of_token(&self, secret: &str) -> Result<Option<Subject>, ApiError> {
        let now = self.now();
        let work = async {
            let Some(row) = self.store().token_by_hash(&hash(secret), now).await? else {
                return Ok(None);
            };
            let subject = match row.acts {
                Acts::Itself { user, grants_json } => {
                    let grants = own_grants(row.id, &grants_json)?;
                    Subject::new(user, row.name, Vec::new(), grants).of_kind(PersonKind::Service)
                }
                Acts::For { holder, reach } => {
                    let standing = self.standing_with(holder.id, Some(GROUPS_CONFIRMED_WITHIN));
                    let Standing::In(subject) = standing.await? else {
                        return Ok(None);
                    };
                    match reach {
                        TokenReach::All => subject,
                        TokenReach::Read => subject.reading(),
                    }
                }
            };
            self.store().token_used(row.id, now).await?;
            Ok(Some(subject.with_token(row.id)))
        };
        work.await.map_err(|error: Error| self.api(error))
    }
}

#[cfg(test)]
mod tests;
