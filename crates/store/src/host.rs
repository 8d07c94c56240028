//! The inventory.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Timestamp, audit::AuditNote, host::Host, id::EnvironmentId, text::HostName};
use policy::{Permit, Scope};
use view::{environment::HostRow, page::Page};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    cursor,
    database::Tx,
    error::{Result, StoreError},
    sql::{Arg, CHUNK, Source, Sql, source},
};

pub(crate) const HOSTS: Source = source("hosts", "id");

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    pub added: u32,
    pub changed: u32,
    pub unchanged: u32,
}

/// Reads a host from the columns of `hosts`.
pub(crate) fn read(cells: &Cells<'_>) -> Result<Host> {
    Ok(Host {
        id: cells.parse("id")?,
        environment: cells.parse("environment_id")?,
        identity: cells.text("identity")?,
        name: cells.parse("name")?,
        criticality: cells.parse("criticality")?,
        failure_domain: cells.text("failure_domain")?,
        groups: cells.document("groups_json")?,
        variables: cells.document("variables_json")?,
    })
}

fn read_row(cells: &Cells<'_>) -> Result<(HostName, HostRow)> {
    let host = read(cells)?;
    let variable = |name: &str| {
        host.variables.get(name).map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
    };
    let address = variable("ansible_host").unwrap_or_else(|| host.name.to_string());
    let port = variable("ansible_port").unwrap_or_else(|| "22".to_owned());
    let row = HostRow {
        id: host.id,
        name: host.name.to_string(),
        identity: host.identity,
        address: format!("{address}:{port}"),
        criticality: host.criticality,
        failure_domain: host.failure_domain,
        groups: host.groups.into_iter().collect(),
    };
    Ok((host.name, row))
}

impl Store {
    /// A page of hosts by name.
    pub async fn hosts(
        &self,
        _: &Scope,
        environment: EnvironmentId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<HostRow>> {
        let mut sql = Sql::new("SELECT h.* FROM hosts h WHERE h.environment_id = ");
        sql.bind(environment).push(" AND h.name > ").bind(
            cursor::read::<HostName>(cursor)?
                .map(String::from)
                .unwrap_or_default(),
        );
        sql.push(" ORDER BY h.name LIMIT ")
            .bind(cursor::fetch(limit));
        cursor::page(sql.all(self.readers(), HOSTS, read_row).await?, limit)
    }

    /// The hosts of an inventory group by name; `all` is every host of the environment.
    pub async fn hosts_in_group(
        &self,
        _: &Scope,
        environment: EnvironmentId,
        group: &str,
    ) -> Result<Vec<Host>> {
        let sql = match group {
            "all" => Sql::new("SELECT h.* FROM hosts h WHERE h.environment_id = $1 ORDER BY h.name").with(environment),
            group => Sql::new(
                "SELECT h.* FROM host_groups g JOIN hosts h ON h.id = g.host_id WHERE g.environment_id = $1 AND g.group_name = $2 ORDER BY h.name",
            )
            .with(environment)
            .with(group),
        };
        sql.all(self.readers(), HOSTS, read).await
    }

    /// Adds hosts and changes known ones, told apart by identity. Never deletes; a known host keeps its id.
    pub async fn hosts_import(
        &self,
        permit: &Permit,
        environment: EnvironmentId,
        hosts: &[Host],
        now: Timestamp,
    ) -> Result<Imported> {
        let mut tx = self.begin().await?;
        // Locks the environment, so that two imports come one after the other.
        let lock = Sql::new("UPDATE environments SET host_count = host_count WHERE id = $1")
            .with(environment);
        if lock.run(&mut *tx).await? == 0 {
            return Err(StoreError::not_found(format!(
                "The environment {environment}"
            )));
        }
        let known = Sql::new("SELECT h.* FROM hosts h WHERE h.environment_id = $1")
            .with(environment)
            .all(&mut *tx, HOSTS, read)
            .await?;
        let (write, imported) = sort_out(environment, known, hosts)?;
        for hosts in write.chunks(CHUNK) {
            upsert(&mut tx, hosts, now).await?;
        }
        let grow = Sql::new("UPDATE environments SET host_count = host_count + $1 WHERE id = $2");
        grow.with(imported.added)
            .with(environment)
            .run(&mut *tx)
            .await?;
        let Imported {
            added,
            changed,
            unchanged,
        } = imported;
        let note = AuditNote::new(
            "inventory.import",
            format!("Hosts were imported: {added} new, {changed} changed, {unchanged} as before"),
            "",
        );
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        tx.commit().await?;
        Ok(imported)
    }
}

/// Which hosts have to be written, under the ids they are known by. Refuses an identity or a name that two hosts share.
fn sort_out(
    environment: EnvironmentId,
    known: Vec<Host>,
    hosts: &[Host],
) -> Result<(Vec<Host>, Imported)> {
    let mut known: BTreeMap<String, Host> = known
        .into_iter()
        .map(|host| (host.identity.clone(), host))
        .collect();
    let mut owners: BTreeMap<&HostName, &str> = BTreeMap::new();
    let mut identities = BTreeSet::new();
    let mut imported = Imported::default();
    let mut write = Vec::new();
    for host in hosts {
        let Host { identity, name, .. } = host;
        if !identities.insert(identity) {
            return Err(duplicate(format!(
                "The identity “{identity}” occurs twice. Keep one of the two entries."
            )));
        }
        if let Some(other) = owners.insert(name, identity) {
            return Err(called_alike(name, other, identity));
        }
        let before = known.remove(identity);
        let host = Host {
            id: before.as_ref().map_or(host.id, |before| before.id),
            environment,
            ..host.clone()
        };
        match before {
            Some(before) if before == host => imported.unchanged += 1,
            before => {
                *if before.is_some() {
                    &mut imported.changed
                } else {
                    &mut imported.added
                } += 1;
                write.push(host);
            }
        }
    }
    match known
        .values()
        .find_map(|host| Some((host, owners.get(&host.name)?)))
    {
        Some((host, other)) => Err(called_alike(&host.name, other, &host.identity)),
        None => Ok((write, imported)),
    }
}

fn called_alike(name: &HostName, one: &str, other: &str) -> StoreError {
    duplicate(format!(
        "Two hosts are called “{name}” (identities “{one}” and “{other}”). Ansible could not tell them apart: rename one."
    ))
}

fn duplicate(message: String) -> StoreError {
    StoreError::Duplicate {
        field: "inventory",
        message,
    }
}

async fn upsert(tx: &mut Tx, hosts: &[Host], now: Timestamp) -> Result<()> {
    let mut rows = Vec::with_capacity(hosts.len());
    let mut groups: Vec<Vec<Arg>> = Vec::new();
    for host in hosts {
        rows.push(vec![
            host.id.into(),
            host.environment.into(),
            host.identity.as_str().into(),
            host.name.as_str().into(),
            host.criticality.word().into(),
            host.failure_domain.as_str().into(),
            document(&host.groups)?.into(),
            document(&host.variables)?.into(),
            now.into(),
            now.into(),
        ]);
        groups.extend(host.groups.iter().map(|group| {
            vec![
                host.environment.into(),
                group.as_str().into(),
                host.id.into(),
            ]
        }));
    }
    // Names may have changed places among these hosts; an id is a name nobody has.
    let mut sql = Sql::new("UPDATE hosts SET name = id WHERE id IN ");
    sql.list(hosts.iter().map(|host| host.id));
    sql.run(&mut **tx).await?;
    let mut sql = Sql::new(
        "INSERT INTO hosts (id, environment_id, identity, name, criticality, failure_domain, groups_json, variables_json, created_at, changed_at) VALUES ",
    );
    sql.tuples(rows).push(
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, criticality = excluded.criticality, failure_domain = excluded.failure_domain,
          groups_json = excluded.groups_json, variables_json = excluded.variables_json, changed_at = excluded.changed_at",
    );
    sql.run(&mut **tx).await?;
    let mut sql = Sql::new("DELETE FROM host_groups WHERE host_id IN ");
    sql.list(hosts.iter().map(|host| host.id));
    sql.run(&mut **tx).await?;
    for rows in groups.chunks(CHUNK) {
        let mut sql =
            Sql::new("INSERT INTO host_groups (environment_id, group_name, host_id) VALUES ");
        sql.tuples(rows.iter().cloned());
        sql.run(&mut **tx).await?;
    }
    Ok(())
}
