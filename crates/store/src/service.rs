//! Services.

use std::collections::BTreeMap;

use domain::{Timestamp, audit::AuditNote, id::ServiceId, service::Service, text::Slug};
use policy::{Permit, Scope};
use view::{
    page::Page,
    service::{RunsOn, ServiceRow},
};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    cursor,
    database::Tx,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const SERVICES: Source = source("services", "id");

const COLUMNS: &str = "SELECT s.id, s.team_id, s.slug, s.name, s.description, s.repository, s.installation, s.telemetry, s.playbooks FROM services s WHERE ";

fn read(cells: &Cells<'_>) -> Result<Service> {
    Ok(Service {
        id: cells.parse("id")?,
        team: cells.parse("team_id")?,
        slug: cells.parse("slug")?,
        name: cells.parse("name")?,
        description: cells.text("description")?,
        repository: cells.text("repository")?,
        installation: cells.document("installation")?,
        telemetry: cells.document("telemetry")?,
        playbooks: cells.parse("playbooks")?,
    })
}

const ROW_COLUMNS: &str = "SELECT s.id, s.slug, s.name, s.description, t.name AS team FROM services s JOIN teams t ON t.id = s.team_id WHERE ";

fn read_row(cells: &Cells<'_>) -> Result<(Slug, ServiceRow)> {
    let slug: Slug = cells.parse("slug")?;
    let row = ServiceRow {
        id: cells.parse("id")?,
        slug: slug.to_string(),
        name: cells.text("name")?,
        team: cells.text("team")?,
        description: cells.text("description")?,
        runs: Vec::new(),
    };
    Ok((slug, row))
}

/// Which of the two things services do not share is taken.
async fn taken(tx: &mut Tx, service: &Service) -> Result<StoreError> {
    let root = &service.installation.install_root;
    let sql = Sql::new("SELECT id, name FROM services WHERE install_root = $1 AND slug <> $2")
        .with(root.as_str())
        .with(service.slug.as_str());
    let owner = sql
        .optional(&mut **tx, SERVICES, |cells| cells.text("name"))
        .await?;
    Ok(match owner {
        Some(owner) => StoreError::Duplicate {
            field: "install_root",
            message: format!(
                "The service {owner} is installed in “{root}” already. Give this one a folder of its own."
            ),
        },
        None => StoreError::Duplicate {
            field: "slug",
            message: format!(
                "There is already a service “{}”. Choose another short name.",
                service.slug
            ),
        },
    })
}

impl Store {
    pub async fn service_insert(
        &self,
        permit: &Permit,
        service: &Service,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO services (id, team_id, slug, name, description, repository, install_root, installation, telemetry, playbooks, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        )
            .with(service.id)
            .with(service.team)
            .with(service.slug.as_str())
            .with(service.name.as_str())
            .with(service.description.as_str())
            .with(service.repository.as_str())
            .with(service.installation.install_root.as_str())
            .with(document(&service.installation)?)
            .with(document(&service.telemetry)?)
            .with(service.playbooks.to_string())
            .with(now);
        if sql.run(&mut *tx).await? == 0 {
            return Err(taken(&mut tx, service).await?);
        }
        let note = AuditNote::new(
            "service.onboard",
            format!("Service {} was brought in", service.name),
            "",
        );
        audit::write(
            &mut tx,
            permit,
            &Object::of(permit).with_id(service.id).of_team(service.team),
            &[note],
            now,
        )
        .await?;
        Ok(tx.commit().await?)
    }

    pub async fn service(&self, scope: &Scope, slug: &str) -> Result<Service> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("s.slug = ").bind(slug).scope("s.team_id", scope);
        sql.optional(self.readers(), SERVICES, read)
            .await?
            .ok_or_else(|| StoreError::not_found(format!("The service “{slug}”")))
    }

    pub async fn service_by_id(&self, scope: &Scope, id: ServiceId) -> Result<Service> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("s.id = ").bind(id).scope("s.team_id", scope);
        sql.optional(self.readers(), SERVICES, read)
            .await?
            .ok_or_else(|| StoreError::not_found(format!("The service {id}")))
    }

    /// Every service that may be seen, by slug.
    pub async fn services_all(&self, scope: &Scope) -> Result<Vec<Service>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("s.slug <> ''")
            .scope("s.team_id", scope)
            .push(" ORDER BY s.slug");
        sql.all(self.readers(), SERVICES, read).await
    }

    /// A page of services by slug, with what their hosts were last seen to run.
    pub async fn services(
        &self,
        scope: &Scope,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<ServiceRow>> {
        let mut sql = Sql::new(ROW_COLUMNS);
        sql.push("s.slug > ").bind(
            cursor::read::<Slug>(cursor)?
                .map(String::from)
                .unwrap_or_default(),
        );
        sql.scope("s.team_id", scope)
            .push(" ORDER BY s.slug LIMIT ")
            .bind(cursor::fetch(limit));
        let mut page = cursor::page(sql.all(self.readers(), SERVICES, read_row).await?, limit)?;
        self.add_runs(&mut page.items).await?;
        Ok(page)
    }

    /// One service as the list shows it.
    pub async fn service_row(&self, scope: &Scope, id: ServiceId) -> Result<ServiceRow> {
        let mut sql = Sql::new(ROW_COLUMNS);
        sql.push("s.id = ").bind(id).scope("s.team_id", scope);
        let row = sql.optional(self.readers(), SERVICES, read_row).await?;
        let (_, mut row) = row.ok_or_else(|| StoreError::not_found(format!("The service {id}")))?;
        self.add_runs(std::slice::from_mut(&mut row)).await?;
        Ok(row)
    }

    async fn add_runs(&self, rows: &mut [ServiceRow]) -> Result<()> {
        let mut sql = Sql::new(
            "SELECT v.id, e.slug AS environment, v.version, v.hosts FROM (
                 SELECT i.service_id AS id, i.environment_id, i.version, COUNT(*) AS hosts FROM installed i WHERE i.service_id IN ",
        );
        sql.list(rows.iter().map(|row| row.id)).push(
            " GROUP BY i.service_id, i.environment_id, i.version
             ) v JOIN environments e ON e.id = v.environment_id ORDER BY e.slug, v.hosts DESC, v.version",
        );
        let found = sql
            .all(self.readers(), SERVICES, |cells| {
                Ok((
                    cells.parse::<ServiceId>("id")?,
                    RunsOn {
                        environment: cells.text("environment")?,
                        version: cells.text("version")?,
                        hosts: cells.count("hosts")?,
                    },
                ))
            })
            .await?;
        let mut runs: BTreeMap<ServiceId, Vec<RunsOn>> = BTreeMap::new();
        for (id, on) in found {
            runs.entry(id).or_default().push(on);
        }
        for row in rows {
            row.runs = runs.remove(&row.id).unwrap_or_default();
        }
        Ok(())
    }
}
