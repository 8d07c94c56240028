//! Variables that playbooks are given.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{EnvironmentId, ServiceId, VariableId},
    variable::{Place, Variable, VariableKind},
};
use policy::{Permit, Scope};
use view::variable::VariableRow;

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    database::Tx,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const VARIABLES: Source = source("variables", "id");

/// A variable is read with the team of its service; those of an environment are nobody's secret.
const FROM: &str = "SELECT v.*, COALESCE(e.slug, '') AS environment FROM variables v LEFT JOIN services s ON s.id = v.service_id LEFT JOIN environments e ON e.id = v.environment_id WHERE ";

/// Whose variables are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Service(ServiceId),
    /// Of every service of the environment.
    Environment(EnvironmentId),
}

/// A variable to keep: a secret has ciphertext in place of its value.
#[derive(Debug, Clone, Copy)]
pub struct NewVariable<'a> {
    pub variable: &'a Variable,
    pub sealed: Option<&'a str>,
}

fn read(cells: &Cells<'_>) -> Result<Variable> {
    Ok(Variable {
        id: cells.parse("id")?,
        name: cells.parse("name")?,
        kind: cells.parse("kind")?,
        place: Place {
            service: cells.maybe("service_id")?,
            environment: cells.maybe("environment_id")?,
            group: cells.maybe("host_group")?,
        },
        value: cells.maybe_document("value_json")?,
    })
}

fn read_row(cells: &Cells<'_>) -> Result<VariableRow> {
    let Variable {
        id,
        name,
        kind,
        place,
        value,
    } = read(cells)?;
    Ok(VariableRow {
        id,
        name: name.into(),
        kind,
        value: value.map(|value| kind.write(&value)),
        environment: cells.text("environment")?,
        host_group: place.group.map(String::from).unwrap_or_default(),
        set_by: cells.text("set_by")?,
        set_at: cells.time("set_at")?,
    })
}

impl Store {
    /// Variables by name.
    pub async fn variables(&self, scope: &Scope, owner: Owner) -> Result<Vec<VariableRow>> {
        let mut sql = Sql::new(FROM);
        match owner {
            Owner::Service(id) => sql
                .push("v.service_id = ")
                .bind(id)
                .scope("s.team_id", scope),
            Owner::Environment(id) => sql
                .push("v.service_id IS NULL AND v.environment_id = ")
                .bind(id),
        };
        sql.push(" ORDER BY v.name, environment, COALESCE(v.host_group, '')");
        sql.all(self.readers(), VARIABLES, read_row).await
    }

    /// What a rollout of a service to an environment is given, by name and place.
    pub async fn variables_for(
        &self,
        scope: &Scope,
        service: ServiceId,
        environment: EnvironmentId,
    ) -> Result<Vec<Variable>> {
        let mut sql = Sql::new(FROM);
        sql.push("(v.environment_id IS NULL OR v.environment_id = ")
            .bind(environment)
            .push(") AND (v.service_id IS NULL OR (v.service_id = ")
            .bind(service)
            .scope("s.team_id", scope)
            .push(")) ORDER BY v.name, v.service_id, v.environment_id, v.host_group, v.id");
        let mut found = sql.all(self.readers(), VARIABLES, read).await?;
        // The databases order NULL differently, and the digest of a plan must not depend on that.
        found.sort_by(|a, b| (&a.name, &a.place).cmp(&(&b.name, &b.place)));
        Ok(found)
    }

    /// Ciphertext of secrets that are still there.
    pub async fn secrets(
        &self,
        _: &Permit,
        ids: &[VariableId],
    ) -> Result<BTreeMap<VariableId, (Variable, String)>> {
        let mut sql =
            Sql::new("SELECT v.* FROM variables v WHERE v.sealed IS NOT NULL AND v.id IN ");
        sql.list(ids.iter().copied());
        let found = sql
            .all(self.readers(), VARIABLES, |cells| {
                let variable = read(cells)?;
                Ok((variable.id, (variable, cells.text("sealed")?)))
            })
            .await?;
        Ok(found.into_iter().collect())
    }

    /// Sets a variable at its place, in place of the one of this name there.
    pub async fn variable_set(
        &self,
        permit: &Permit,
        new: NewVariable<'_>,
        now: Timestamp,
    ) -> Result<()> {
        let NewVariable { variable, sealed } = new;
        let mut tx = self.begin().await?;
        let before = there(&mut tx, variable).await?;
        let value = variable.value.as_ref().map(document).transpose()?;
        let sql = match &before {
            Some(before) => Sql::new("UPDATE variables SET kind = $1, value_json = $2, sealed = $3, set_by = $4, set_at = $5 WHERE id = $6")
                .with(variable.kind.word())
                .with(value)
                .with(sealed)
                .with(permit.actor().name())
                .with(now)
                .with(before.id),
            None => Sql::new("INSERT INTO variables (kind, value_json, sealed, set_by, set_at, id, service_id, environment_id, host_group, name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING")
                .with(variable.kind.word())
                .with(value)
                .with(sealed)
                .with(permit.actor().name())
                .with(now)
                .with(variable.id)
                .with(variable.place.service)
                .with(variable.place.environment)
                .with(variable.place.group.as_ref().map(|group| group.as_str()))
                .with(variable.name.as_str()),
        };
        if sql.run(&mut *tx).await? == 0 {
            return Err(StoreError::conflict(format!(
                "The variable {}",
                variable.name
            )));
        }
        let was = before.as_ref().map(shown).unwrap_or_default();
        let summary = match variable.kind {
            VariableKind::Secret => format!("{} was set", called(variable)),
            _ => format!("{} was set to {}", called(variable), shown(variable)),
        };
        let note =
            AuditNote::new("variable.set", summary, "").changed("Value", was, shown(variable));
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Removes a variable of the owner the permit is about.
    pub async fn variable_remove(
        &self,
        permit: &Permit,
        owner: Owner,
        id: VariableId,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let mut sql = Sql::new("DELETE FROM variables WHERE id = ");
        sql.bind(id);
        match owner {
            Owner::Service(id) => sql.push(" AND service_id = ").bind(id),
            Owner::Environment(id) => sql
                .push(" AND service_id IS NULL AND environment_id = ")
                .bind(id),
        };
        sql.push(" RETURNING *");
        let removed = sql.optional(&mut *tx, VARIABLES, read).await?;
        let removed = removed.ok_or_else(|| StoreError::not_found("This variable"))?;
        let summary = format!("{} was removed", called(&removed));
        let note =
            AuditNote::new("variable.remove", summary, "").changed("Value", shown(&removed), "");
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }
}

async fn there(tx: &mut Tx, variable: &Variable) -> Result<Option<Variable>> {
    let id = |id: Option<String>| id.unwrap_or_default();
    let place = &variable.place;
    let sql = Sql::new("SELECT * FROM variables WHERE name = $1 AND COALESCE(service_id, '') = $2 AND COALESCE(environment_id, '') = $3 AND COALESCE(host_group, '') = $4")
        .with(variable.name.as_str())
        .with(id(place.service.map(|id| id.to_string())))
        .with(id(place.environment.map(|id| id.to_string())))
        .with(id(place.group.clone().map(String::from)));
    sql.optional(&mut **tx, VARIABLES, read).await
}

fn called(variable: &Variable) -> String {
    let kind = match variable.kind {
        VariableKind::Secret => "Secret",
        _ => "Variable",
    };
    match &variable.place.group {
        Some(group) => format!("{kind} {} of the group {group}", variable.name),
        None => format!("{kind} {}", variable.name),
    }
}

/// The value; of secrets only that there is one.
fn shown(variable: &Variable) -> String {
    const LONGEST: usize = 200;
    let Some(value) = variable.value.as_ref() else {
        return "a secret".to_owned();
    };
    let text = variable.kind.write(value);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    }
}
