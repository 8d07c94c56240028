//! Tokens of the API: only the hash of a secret is kept.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{TokenId, UserId},
    person::TokenReach,
};
use policy::{Kind, Permit};
use view::page::Page;

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    cursor,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const TOKENS: Source = source("tokens", "id");

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: TokenId,
    pub hash: String,
    pub acts: Acts,
    pub name: String,
    pub made_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// To the minute.
    pub used_at: Option<Timestamp>,
    /// When somebody ended it before its time, who, and why.
    pub ended_at: Option<Timestamp>,
    pub ended_by: String,
    pub ended_reason: String,
}

/// Who acts when a token is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acts {
    /// The token itself, under this id; `grants_json` is a JSON list of `policy::Grant`.
    Itself { user: UserId, grants_json: String },
    /// A person or a service account, with what they hold at that moment.
    For { holder: Holder, reach: TokenReach },
}

/// Whom a token acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub id: UserId,
    pub name: String,
}

fn read(cells: &Cells<'_>) -> Result<TokenRow> {
    let acts = match cells.maybe("holder_id")? {
        Some(id) => Acts::For {
            holder: Holder {
                id,
                name: cells.text("holder_name")?,
            },
            reach: cells.parse("reach")?,
        },
        None => Acts::Itself {
            user: cells.parse("user_id")?,
            grants_json: cells.text("grants_json")?,
        },
    };
    Ok(TokenRow {
        id: cells.parse("id")?,
        hash: cells.text("hash")?,
        acts,
        name: cells.text("name")?,
        made_by: cells.text("made_by")?,
        created_at: cells.time("created_at")?,
        expires_at: cells.time("expires_at")?,
        used_at: cells.maybe_time("used_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        ended_by: cells.text("ended_by")?,
        ended_reason: cells.text("ended_reason")?,
    })
}

type Key = (i64, TokenId);

const COLUMNS: &str = "SELECT t.*, p.name AS holder_name FROM tokens t LEFT JOIN people p ON p.id = t.holder_id WHERE ";

/// Tokens of one holder that can be used, at most.
const MOST_OF_ONE: i64 = 50;

impl Store {
    /// Keeps a token. Refuses with `Conflict` one more of a holder who has too many.
    pub async fn token_insert(&self, permit: &Permit, token: &TokenRow) -> Result<()> {
        let mut tx = self.begin().await?;
        let (user, grants, holder, reach) = match &token.acts {
            Acts::Itself { user, grants_json } => {
                (*user, grants_json.as_str(), None, TokenReach::All)
            }
            Acts::For { holder, reach } => (holder.id, "[]", Some(holder.id), *reach),
        };
        if let Some(holder) = holder {
            // Locks the holder, so that two at once are counted one after the other.
            Sql::new("UPDATE people SET kind = kind WHERE id = $1")
                .with(holder)
                .run(&mut *tx)
                .await?;
            let live = Sql::new(
                "SELECT 'live' AS id, COUNT(*) AS many FROM tokens WHERE holder_id = $1 AND ended_at IS NULL AND expires_at > $2",
            );
            let live = live
                .with(holder)
                .with(token.created_at)
                .optional(&mut *tx, TOKENS, |cells| cells.int("many"))
                .await?;
            if live.unwrap_or_default() >= MOST_OF_ONE {
                return Err(StoreError::Invalid {
                    field: "name",
                    message: format!(
                        "There are {MOST_OF_ONE} tokens that can be used already. End one that is not needed any more."
                    ),
                });
            }
        }
        let sql = Sql::new(
            "INSERT INTO tokens (id, hash, user_id, name, grants_json, made_by, created_at, expires_at, holder_id, reach) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
            .with(token.id)
            .with(token.hash.as_str())
            .with(user)
            .with(token.name.as_str())
            .with(grants)
            .with(token.made_by.as_str());
        sql.with(token.created_at)
            .with(token.expires_at)
            .with(holder)
            .with(reach.word())
            .run(&mut *tx)
            .await?;
        let whose = match &token.acts {
            Acts::Itself { .. } => String::new(),
            Acts::For {
                holder,
                reach: TokenReach::All,
            } => format!(" for {}", holder.name),
            Acts::For {
                holder,
                reach: TokenReach::Read,
            } => format!(" for {}, to read", holder.name),
        };
        let note = AuditNote::new(
            "token.create",
            format!(
                "Token {} was made{whose}, valid until {}",
                token.name,
                token.expires_at.strftime("%-d %B %Y")
            ),
            "",
        );
        let object = Object {
            kind: Kind::Token.word(),
            id: token.id.to_string(),
            name: token.name.clone(),
            team: None,
        };
        audit::write(&mut tx, permit, &object, &[note], token.created_at).await?;
        Ok(tx.commit().await?)
    }

    /// A page of tokens, newest first: all, or those of one holder.
    pub async fn tokens(
        &self,
        holder: Option<UserId>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TokenRow>> {
        let mut sql = Sql::new(COLUMNS);
        match holder {
            Some(holder) => sql.push("t.holder_id = ").bind(holder),
            None => sql.push("t.id <> ''"),
        };
        if let Some((at, id)) = cursor::read::<Key>(cursor)? {
            sql.push(" AND (t.created_at, t.id) < (")
                .bind(at)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY t.created_at DESC, t.id DESC LIMIT ")
            .bind(cursor::fetch(limit));
        let rows = sql.all(self.readers(), TOKENS, |cells| {
            let row = read(cells)?;
            Ok(((row.created_at.as_millisecond(), row.id), row))
        });
        cursor::page(rows.await?, limit)
    }

    pub async fn token(&self, id: TokenId) -> Result<TokenRow> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("t.id = ").bind(id);
        let row = sql.optional(self.readers(), TOKENS, read).await?;
        row.ok_or_else(|| StoreError::not_found(format!("The token {id}")))
    }

    /// Ends a token. Refuses with `Conflict` one that was ended before.
    pub async fn token_end(
        &self,
        permit: &Permit,
        id: TokenId,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "UPDATE tokens SET ended_at = $1, ended_by = $2, ended_reason = $3 WHERE id = $4 AND ended_at IS NULL",
        );
        let name = &permit.resource().name;
        let ended = sql
            .with(now)
            .with(permit.actor().name())
            .with(reason)
            .with(id)
            .run(&mut *tx)
            .await?;
        if ended == 0 {
            return Err(StoreError::conflict(format!("The token {name}")));
        }
        let note = AuditNote::new("token.end", format!("Token {name} was ended"), reason);
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// The token with this hash, unless it was ended or has expired.
    pub async fn token_by_hash(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("t.hash = ")
            .bind(hash)
            .push(" AND t.ended_at IS NULL AND t.expires_at > ")
            .bind(now);
        sql.optional(self.readers(), TOKENS, read).await
    }

    /// Notes that a token was used; at most once a minute, so that reading does not become writing.
    pub async fn token_used(&self, id: TokenId, now: Timestamp) -> Result<()> {
        let minute_ago = now.as_millisecond().saturating_sub(60_000);
        let stale =
            Sql::new("SELECT id FROM tokens WHERE id = $1 AND (used_at IS NULL OR used_at < $2)")
                .with(id)
                .with(minute_ago);
        if stale
            .optional(self.readers(), TOKENS, |_| Ok(()))
            .await?
            .is_some()
        {
            Sql::new("UPDATE tokens SET used_at = $1 WHERE id = $2")
                .with(now)
                .with(id)
                .run(self.writer())
                .await?;
        }
        Ok(())
    }
}
