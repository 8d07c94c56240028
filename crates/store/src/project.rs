//! Projects: playbooks kept in Git. They belong to no team: whoever may read anything may read where they are.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{ProjectId, ServiceId},
    project::{FetchedCommit, Playbooks, Project},
};
use policy::{Permit, Scope};
use view::project::ProjectRow;

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const PROJECTS: Source = source("projects", "id");

fn read(cells: &Cells<'_>) -> Result<Project> {
    Ok(Project {
        id: cells.parse("id")?,
        slug: cells.parse("slug")?,
        name: cells.parse("name")?,
        source: cells.document("source_json")?,
        fetched: cells.maybe_document("fetched_json")?,
    })
}

impl Store {
    /// Every project by slug, with how many services run it.
    pub async fn projects(&self, _: &Scope) -> Result<Vec<ProjectRow>> {
        let sql = Sql::new(
            "SELECT p.*, (SELECT COUNT(*) FROM services s WHERE s.playbooks = p.id) AS services,
                 CASE WHEN p.sealed IS NULL THEN 'public' ELSE 'secret' END AS access FROM projects p ORDER BY p.slug",
        );
        sql.all(self.readers(), PROJECTS, |cells| {
            let project = read(cells)?;
            Ok(ProjectRow {
                slug: project.slug.into(),
                name: project.name.into(),
                source: project.source,
                fetched: project.fetched,
                problem: cells.text("problem")?,
                services: cells.count("services")?,
                has_secret: cells.text("access")? == "secret",
            })
        })
        .await
    }

    pub async fn project(&self, _: &Scope, slug: &str) -> Result<Project> {
        let sql = Sql::new("SELECT * FROM projects WHERE slug = $1").with(slug);
        let found = sql.optional(self.readers(), PROJECTS, read).await?;
        found.ok_or_else(|| StoreError::not_found(format!("The project “{slug}”")))
    }

    pub async fn project_by_id(&self, _: &Scope, id: ProjectId) -> Result<Project> {
        let sql = Sql::new("SELECT * FROM projects WHERE id = $1").with(id);
        let found = sql.optional(self.readers(), PROJECTS, read).await?;
        found.ok_or_else(|| StoreError::not_found(format!("The project {id}")))
    }

    /// Ciphertext of what shows that we may read a project.
    pub async fn project_access(&self, _: &Permit, id: ProjectId) -> Result<Option<String>> {
        let sql = Sql::new("SELECT id, sealed FROM projects WHERE id = $1 AND sealed IS NOT NULL")
            .with(id);
        sql.optional(self.readers(), PROJECTS, |cells| cells.text("sealed"))
            .await
    }

    /// Adds a project, or changes the one of this id; what it had fetched from another place is forgotten.
    pub async fn project_set(
        &self,
        permit: &Permit,
        project: &Project,
        sealed: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let fetched = project.fetched.as_ref().map(document).transpose()?;
        let sql = Sql::new(
            "INSERT INTO projects (id, slug, name, source_json, sealed, fetched_json, problem, created_at) VALUES ($1, $2, $3, $4, $5, $6, '', $7)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, source_json = excluded.source_json, sealed = excluded.sealed, fetched_json = excluded.fetched_json, problem = ''",
        )
        .with(project.id)
        .with(project.slug.as_str())
        .with(project.name.as_str())
        .with(document(&project.source)?)
        .with(sealed)
        .with(fetched)
        .with(now);
        sql.run(&mut *tx).await?;
        let source = &project.source;
        let note = AuditNote::new(
            "project.set",
            format!(
                "Project {} is read from {} at {}",
                project.name, source.url, source.revision
            ),
            "",
        );
        let object = Object::of(permit).with_id(project.id);
        audit::write(&mut tx, permit, &object, &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps what a fetch found, or why it failed; what was fetched before stays then.
    pub async fn project_fetched(
        &self,
        permit: &Permit,
        id: ProjectId,
        result: Result<&FetchedCommit, &str>,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let (sql, note) = match result {
            Ok(fetched) => (
                Sql::new("UPDATE projects SET fetched_json = $1, problem = '' WHERE id = $2")
                    .with(document(fetched)?)
                    .with(id),
                AuditNote::new(
                    "project.fetch",
                    format!("Commit {} was fetched: {}", fetched.commit, fetched.subject),
                    "",
                ),
            ),
            Err(problem) => (
                Sql::new("UPDATE projects SET problem = $1 WHERE id = $2")
                    .with(problem)
                    .with(id),
                AuditNote::new("project.fetch", "The fetch failed", problem),
            ),
        };
        if sql.run(&mut *tx).await? == 0 {
            return Err(StoreError::not_found("This project"));
        }
        let object = Object::of(permit);
        audit::write(&mut tx, permit, &object, &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Has a service run other playbooks; people call them `name`, and those it ran `before`.
    pub async fn service_playbooks(
        &self,
        permit: &Permit,
        service: ServiceId,
        playbooks: Playbooks,
        name: &str,
        before: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new("UPDATE services SET playbooks = $1 WHERE id = $2")
            .with(playbooks.to_string())
            .with(service);
        if sql.run(&mut *tx).await? == 0 {
            return Err(StoreError::not_found("This service"));
        }
        let note = AuditNote::new("service.playbooks", format!("It runs {name}"), "").changed(
            "Playbooks",
            before,
            name,
        );
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }
}
