//! Environments. They belong to no team: whoever may read anything may read them.

use domain::{Timestamp, audit::AuditNote, environment::Environment};
use policy::{Permit, Scope};
use view::environment::EnvironmentRow;

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const ENVIRONMENTS: Source = source("environments", "id");

fn read(cells: &Cells<'_>) -> Result<Environment> {
    Ok(Environment {
        id: cells.parse("id")?,
        slug: cells.parse("slug")?,
        name: cells.parse("name")?,
        purpose: cells.parse("purpose")?,
        approval: cells.parse("approval")?,
    })
}

fn read_row(cells: &Cells<'_>) -> Result<EnvironmentRow> {
    let Environment {
        id,
        slug,
        name,
        purpose,
        approval,
    } = read(cells)?;
    Ok(EnvironmentRow {
        id,
        slug: slug.into(),
        name: name.into(),
        purpose,
        approval,
        hosts: cells.count("host_count")?,
    })
}

impl Store {
    pub async fn environment_insert(
        &self,
        permit: &Permit,
        environment: &Environment,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO environments (id, slug, name, purpose, approval, host_count, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT (slug) DO NOTHING",
        )
            .with(environment.id)
            .with(environment.slug.as_str())
            .with(environment.name.as_str())
            .with(environment.purpose.word())
            .with(environment.approval.word())
            .with(now);
        if sql.run(&mut *tx).await? == 0 {
            let message = format!(
                "There is already an environment “{}”. Choose another short name.",
                environment.slug
            );
            return Err(StoreError::Duplicate {
                field: "slug",
                message,
            });
        }
        let note = AuditNote::new(
            "environment.add",
            format!("Environment {} was added", environment.name),
            "",
        );
        audit::write(
            &mut tx,
            permit,
            &Object::of(permit).with_id(environment.id),
            &[note],
            now,
        )
        .await?;
        Ok(tx.commit().await?)
    }

    pub async fn environment(&self, _: &Scope, slug: &str) -> Result<Environment> {
        let sql =
            Sql::new("SELECT id, slug, name, purpose, approval FROM environments WHERE slug = $1")
                .with(slug);
        sql.optional(self.readers(), ENVIRONMENTS, read)
            .await?
            .ok_or_else(|| StoreError::not_found(format!("The environment “{slug}”")))
    }

    /// Every environment by slug, with how many hosts it has.
    pub async fn environments(&self, _: &Scope) -> Result<Vec<EnvironmentRow>> {
        let sql = Sql::new(
            "SELECT id, slug, name, purpose, approval, host_count FROM environments ORDER BY slug",
        );
        sql.all(self.readers(), ENVIRONMENTS, read_row).await
    }
}
