//! Tokens of the API: only the hash of a secret is kept.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{TokenId, UserId},
};
use policy::Permit;

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    error::Result,
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
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

fn read(cells: &Cells<'_>) -> Result<TokenRow> {
    Ok(TokenRow {
        id: cells.parse("id")?,
        hash: cells.text("hash")?,
        user: cells.parse("user_id")?,
        name: cells.text("name")?,
        grants_json: cells.text("grants_json")?,
        created_at: cells.time("created_at")?,
        expires_at: cells.time("expires_at")?,
    })
}

impl Store {
    pub async fn token_insert(&self, permit: &Permit, token: &TokenRow) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO tokens (id, hash, user_id, name, grants_json, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
            .with(token.id)
            .with(token.hash.as_str())
            .with(token.user)
            .with(token.name.as_str())
            .with(token.grants_json.as_str());
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

    /// The token with this hash, unless it has expired.
    pub async fn token_by_hash(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>> {
        let sql = Sql::new(
            "SELECT id, hash, user_id, name, grants_json, created_at, expires_at FROM tokens WHERE hash = $1 AND expires_at > $2",
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
