//! Tokens of the API: only the hash of a secret is kept.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{TokenId, UserId},
};
use policy::Permit;
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
    /// Who acts when it is used.
    pub user: UserId,
    pub name: String,
    /// JSON list of `policy::Grant`.
    pub grants_json: String,
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

fn read(cells: &Cells<'_>) -> Result<TokenRow> {
    Ok(TokenRow {
        id: cells.parse("id")?,
        hash: cells.text("hash")?,
        user: cells.parse("user_id")?,
        name: cells.text("name")?,
        grants_json: cells.text("grants_json")?,
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

impl Store {
    pub async fn token_insert(&self, permit: &Permit, token: &TokenRow) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO tokens (id, hash, user_id, name, grants_json, made_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
            .with(token.id)
            .with(token.hash.as_str())
            .with(token.user)
            .with(token.name.as_str())
            .with(token.grants_json.as_str())
            .with(token.made_by.as_str());
        sql.with(token.created_at)
            .with(token.expires_at)
            .run(&mut *tx)
            .await?;
        let note = AuditNote::new(
            "token.create",
            format!(
                "Token {} was made, valid until {}",
                token.name, token.expires_at
            ),
            "",
        );
        audit::write(
            &mut tx,
            permit,
            &Object::of(permit),
            &[note],
            token.created_at,
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// A page of tokens, newest first.
    pub async fn tokens(&self, cursor: Option<&str>, limit: u32) -> Result<Page<TokenRow>> {
        let mut sql = Sql::new("SELECT * FROM tokens WHERE id <> ''");
        if let Some((at, id)) = cursor::read::<Key>(cursor)? {
            sql.push(" AND (created_at, id) < (")
                .bind(at)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ")
            .bind(cursor::fetch(limit));
        let rows = sql.all(self.readers(), TOKENS, |cells| {
            let row = read(cells)?;
            Ok(((row.created_at.as_millisecond(), row.id), row))
        });
        cursor::page(rows.await?, limit)
    }

    pub async fn token(&self, id: TokenId) -> Result<TokenRow> {
        let sql = Sql::new("SELECT * FROM tokens WHERE id = $1").with(id);
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
        let sql = Sql::new(
            "SELECT * FROM tokens WHERE hash = $1 AND expires_at > $2 AND ended_at IS NULL",
        );
        sql.with(hash)
            .with(now)
            .optional(self.readers(), TOKENS, read)
            .await
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
