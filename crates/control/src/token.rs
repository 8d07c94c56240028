//! Tokens of the API: made, used, listed, ended.

use domain::{
    SignedDuration, Timestamp,
    id::{TeamId, TokenId, UserId},
    team::Team,
    text::{Name, Reason, Slug},
};
use policy::{Action, Grant, Kind, Resource, Role, Subject, SystemAction};
use sha2::{Digest as _, Sha256};
use store::TokenRow;
use view::{
    error::ApiError,
    input::EndTokenInput,
    page::Page,
    token::{TokenLine, TokenList},
};

use crate::{Console, Ctx, Error, access::told, error::invalid};

const PAGE: u32 = 50;
const PREFIX: &str = "slp_";

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

fn grants_of(row: &TokenRow) -> Result<Vec<Grant>, Error> {
    serde_json::from_str(&row.grants_json)
        .map_err(|error| Error::Internal(format!("token {}: {error}", row.id)))
}

fn line(row: TokenRow, teams: &[Team]) -> Result<TokenLine, Error> {
    let roles = grants_of(&row)?;
    Ok(TokenLine {
        id: row.id,
        roles: roles.iter().map(|grant| told(grant, teams)).collect(),
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
                page: self.token_lines(cursor.as_deref(), PAGE).await?,
                now: self.console.now(),
                may_end: self.allowance(Action::ManageTokens, Resource::new(Kind::Token, "", "")),
            })
        })
        .await
    }

    pub(crate) async fn token_lines(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TokenLine>, Error> {
        let tokens = self.store().tokens(cursor, limit).await?;
        let teams = self.store().teams(&policy::system_scope()).await?;
        let lines = tokens.items.into_iter().map(|row| line(row, &teams));
        Ok(Page {
            items: lines.collect::<Result<_, _>>()?,
            next: tokens.next,
        })
    }

    /// Ends a token: its next use is refused.
    pub async fn end_token(&self, input: EndTokenInput) -> Result<(), ApiError> {
        self.answer(async {
            let id: TokenId = input.token.parse().map_err(invalid("token"))?;
            // Whether there is such a token is for those who may know.
            self.may_read_people()?;
            let token = self.store().token(id).await?;
            let resource = Resource::new(Kind::Token, id, &token.name);
            let permit = self.permit(Action::ManageTokens, resource)?;
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
            let secret = format!("{PREFIX}{}", hex(&self.inner.clock.random()));
            let now = self.now();
            let id = TokenId(self.mint());
            let permit = self.system(
                SystemAction::SIGN_IN,
                Resource::new(Kind::Token, id, &new.name),
            );
            let row = TokenRow {
                id,
                hash: hash(&secret),
                user: UserId(self.mint()),
                name: new.name.to_string(),
                grants_json: serde_json::to_string(&grants)
                    .map_err(|error| Error::Internal(error.to_string()))?,
                made_by: permit.actor().name().to_owned(),
                created_at: now,
                expires_at: now
                    .checked_add(SignedDuration::from_hours(24 * i64::from(new.days)))
                    .unwrap_or(Timestamp::MAX),
                used_at: None,
                ended_at: None,
                ended_by: String::new(),
                ended_reason: String::new(),
            };
            self.store().token_insert(&permit, &row).await?;
            Ok(secret)
        };
        work.await.map_err(|error: Error| self.api(error))
    }

    /// Whom a token stands for; `None` when it is unknown, was ended or has expired.
    pub async fn subject_of_token(&self, secret: &str) -> Result<Option<Subject>, ApiError> {
        let now = self.now();
        let work = async {
            let Some(row) = self.store().token_by_hash(&hash(secret), now).await? else {
                return Ok(None);
            };
            self.store().token_used(row.id, now).await?;
            let grants = grants_of(&row)?;
            Ok(Some(Subject::new(row.user, row.name, Vec::new(), grants)))
        };
        work.await.map_err(|error: Error| self.api(error))
    }
}
