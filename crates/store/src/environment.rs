//! Environments. They belong to no team: whoever may read anything may read them.

use domain::{
    Timestamp, audit::AuditNote, environment::Environment, id::EnvironmentId, reach::Reach,
};
use policy::{Permit, Scope};
use view::environment::EnvironmentRow;

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
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

/// How hosts are reached, but for what is secret.
fn spelt(reach: &Reach) -> [(&'static str, String); 5] {
    let or = |text: &str, none: &str| match text {
        "" => none.to_owned(),
        text => text.to_owned(),
    };
    let become_as = match reach.become_method.as_str() {
        "" => "nobody else".to_owned(),
        method => format!("{} by {method}", reach.become_user),
    };
    [
        ("User", or(&reach.user, "as the settings say")),
        ("Port", or(&reach.port, "as the settings say")),
        ("Through", or(&reach.jump.join(", "), "no jump host")),
        ("Host keys", reach.host_keys.to_string()),
        ("Becoming", become_as),
    ]
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

    pub async fn environment_by_id(&self, _: &Scope, id: EnvironmentId) -> Result<Environment> {
        let sql =
            Sql::new("SELECT id, slug, name, purpose, approval FROM environments WHERE id = $1")
                .with(id);
        sql.optional(self.readers(), ENVIRONMENTS, read)
            .await?
            .ok_or_else(|| StoreError::not_found(format!("The environment {id}")))
    }

    /// How its hosts are reached, without what is secret of it.
    pub async fn environment_reach(&self, _: &Scope, id: EnvironmentId) -> Result<Reach> {
        let sql = Sql::new("SELECT id, reach_json FROM environments WHERE id = $1").with(id);
        let found = sql.optional(self.readers(), ENVIRONMENTS, |cells| {
            cells.maybe_document("reach_json")
        });
        Ok(found.await?.flatten().unwrap_or_default())
    }

    /// Ciphertext of the keys and passwords by which its hosts are reached.
    pub async fn environment_reach_sealed(
        &self,
        _: &Permit,
        id: EnvironmentId,
    ) -> Result<Option<String>> {
        let sql = Sql::new(
            "SELECT id, reach_sealed FROM environments WHERE id = $1 AND reach_sealed IS NOT NULL",
        )
        .with(id);
        sql.optional(self.readers(), ENVIRONMENTS, |cells| {
            cells.text("reach_sealed")
        })
        .await
    }

    /// Keeps how the hosts of the environment the permit is about are reached.
    pub async fn environment_reach_set(
        &self,
        permit: &Permit,
        reach: &Reach,
        sealed: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new("SELECT id, reach_json FROM environments WHERE id = $1")
            .with(permit.resource().id.as_str());
        let before: Option<Option<Reach>> = sql
            .optional(&mut *tx, ENVIRONMENTS, |cells| {
                cells.maybe_document("reach_json")
            })
            .await?;
        let before = before.flatten().unwrap_or_default();
        let sql =
            Sql::new("UPDATE environments SET reach_json = $1, reach_sealed = $2 WHERE id = $3")
                .with(document(reach)?)
                .with(sealed)
                .with(permit.resource().id.as_str());
        if sql.run(&mut *tx).await? == 0 {
            return Err(StoreError::not_found("This environment"));
        }
        let note = AuditNote::new(
            "environment.reach",
            "How hosts are reached was set; keys and passwords may have changed",
            "",
        );
        let changes = spelt(&before).into_iter().zip(spelt(reach));
        let note = changes.fold(note, |note, ((what, before), (_, after))| {
            note.changed(what, before, after)
        });
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Every environment by slug, with how many hosts it has.
    pub async fn environments(&self, _: &Scope) -> Result<Vec<EnvironmentRow>> {
        let sql = Sql::new(
            "SELECT id, slug, name, purpose, approval, host_count FROM environments ORDER BY slug",
        );
        sql.all(self.readers(), ENVIRONMENTS, read_row).await
    }
}
