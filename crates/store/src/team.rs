//! Teams.

use domain::{Timestamp, audit::AuditNote, id::TeamId, team::Team};
use policy::{Permit, Scope};

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const TEAMS: Source = source("teams", "id");

fn read(cells: &Cells<'_>) -> Result<Team> {
    Ok(Team {
        id: cells.parse("id")?,
        slug: cells.parse("slug")?,
        name: cells.parse("name")?,
    })
}

impl Store {
    /// Makes sure that a team of this slug and name exists; gives the id it has.
    pub async fn ensure_team(
        &self,
        permit: &Permit,
        team: &Team,
        now: Timestamp,
    ) -> Result<TeamId> {
        let mut tx = self.begin().await?;
        let insert = Sql::new(
            "INSERT INTO teams (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (slug) DO NOTHING",
        );
        let added = insert
            .with(team.id)
            .with(team.slug.as_str())
            .with(team.name.as_str())
            .with(now)
            .run(&mut *tx)
            .await?;
        let kept =
            Sql::new("SELECT id, slug, name FROM teams WHERE slug = $1").with(team.slug.as_str());
        let kept = kept
            .optional(&mut *tx, TEAMS, read)
            .await?
            .ok_or_else(|| StoreError::conflict(format!("Team {}", team.slug)))?;
        let note = if added == 1 {
            Some(AuditNote::new(
                "team.add",
                format!("Team {} was added", team.name),
                "",
            ))
        } else if kept.name != team.name {
            Sql::new("UPDATE teams SET name = $1 WHERE id = $2")
                .with(team.name.as_str())
                .with(kept.id)
                .run(&mut *tx)
                .await?;
            Some(AuditNote::new(
                "team.rename",
                format!("Team {} is now called {}", kept.name, team.name),
                "",
            ))
        } else {
            None
        };
        audit::write(
            &mut tx,
            permit,
            &Object::of(permit).with_id(kept.id).of_team(kept.id),
            note.as_slice(),
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(kept.id)
    }

    /// The teams that may be seen, by slug.
    pub async fn teams(&self, scope: &Scope) -> Result<Vec<Team>> {
        let mut sql = Sql::new("SELECT id, slug, name FROM teams WHERE slug <> ''");
        sql.scope("id", scope).push(" ORDER BY slug");
        sql.all(self.readers(), TEAMS, read).await
    }
}
