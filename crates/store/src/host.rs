//! The inventory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::{
    Timestamp,
    audit::AuditNote,
    host::Host,
    id::EnvironmentId,
    text::{HostName, listed},
};
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
    let row = HostRow {
        id: host.id,
        name: host.name.to_string(),
        address: host.address(),
        identity: host.identity,
        criticality: host.criticality,
        failure_domain: host.failure_domain,
        groups: host.groups.into_iter().collect(),
        variables: host.variables.into_keys().collect(),
        runs: Vec::new(),
    };
    Ok((host.name, row))
}

impl Store {
    /// A page of hosts by name.
    pub async fn hosts(
        &self,
        scope: &Scope,
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
        let mut page = cursor::page(sql.all(self.readers(), HOSTS, read_row).await?, limit)?;
        let ids: Vec<_> = page.items.iter().map(|host| host.id).collect();
        let mut installed = self.installed(scope, &ids).await?;
        for host in &mut page.items {
            host.runs = installed.remove(&host.id).unwrap_or_default();
        }
        Ok(page)
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
        let Sorted {
            write,
            imported,
            news,
            claimed,
            left,
        } = sort_out(environment, known, hosts)?;
        for left in left.chunks(CHUNK) {
            let mut sql = Sql::new("DELETE FROM machines WHERE known_by IN ");
            sql.list(left.iter().map(String::as_str))
                .push(" AND environment_id = ")
                .bind(environment);
            sql.run(&mut *tx).await?;
        }
        claim(&mut tx, environment, &claimed).await?;
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
            news.to_string(),
        );
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        tx.commit().await?;
        Ok(imported)
    }
}

/// What an import comes to.
#[derive(Default)]
struct Sorted {
    /// Under the ids they are known by.
    write: Vec<Host>,
    imported: Imported,
    news: News,
    /// What machines are known by from now on, with the host that says so.
    claimed: BTreeMap<String, HostName>,
    /// What no host of the environment is known by any more.
    left: Vec<String>,
}

/// What an import changed, for the audit trail: names, and never a value.
#[derive(Default)]
struct News {
    added: Vec<HostName>,
    changed: Vec<HostName>,
    /// Variables, and what else a host has.
    what: BTreeSet<String>,
}

impl News {
    fn change(&mut self, before: &Host, host: &Host) {
        self.changed.push(host.name.clone());
        for (what, same) in [
            ("name", before.name == host.name),
            ("criticality", before.criticality == host.criticality),
            (
                "failure domain",
                before.failure_domain == host.failure_domain,
            ),
            ("groups", before.groups == host.groups),
        ] {
            if !same {
                self.what.insert(what.to_owned());
            }
        }
        let (old, new) = (&before.variables, &host.variables);
        self.what.extend(
            old.keys()
                .chain(new.keys())
                .filter(|key| old.get(*key) != new.get(*key))
                .cloned(),
        );
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.added.is_empty() {
            parts.push(format!("New: {}.", listed(&self.added, 20)));
        }
        if !self.changed.is_empty() {
            parts.push(format!("Changed: {}.", listed(&self.changed, 20)));
            parts.push(format!("What changed: {}.", listed(&self.what, 20)));
        }
        f.write_str(&parts.join(" "))
    }
}

/// What a machine is known by: its address, and its identity if it has one.
fn known_by(host: &Host) -> impl Iterator<Item = String> {
    let identity = host
        .known_identity()
        .map(|identity| format!("identity {identity}"));
    std::iter::once(format!("address {}", host.address())).chain(identity)
}

/// Compares an import with the hosts known so far. Refuses an identity or a name that two hosts share.
fn sort_out(environment: EnvironmentId, known: Vec<Host>, hosts: &[Host]) -> Result<Sorted> {
    let mut left: BTreeSet<String> = known.iter().flat_map(known_by).collect();
    let mut known: BTreeMap<String, Host> = known
        .into_iter()
        .map(|host| (host.identity.clone(), host))
        .collect();
    let mut owners: BTreeMap<&HostName, &str> = BTreeMap::new();
    let mut identities = BTreeSet::new();
    let mut sorted = Sorted::default();
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
        sorted
            .claimed
            .extend(known_by(&host).map(|known_by| (known_by, host.name.clone())));
        match before {
            Some(before) if before == host => sorted.imported.unchanged += 1,
            Some(before) => {
                sorted.imported.changed += 1;
                sorted.news.change(&before, &host);
                sorted.write.push(host);
            }
            None => {
                sorted.imported.added += 1;
                sorted.news.added.push(host.name.clone());
                sorted.write.push(host);
            }
        }
    }
    if let Some((host, other)) = known
        .values()
        .find_map(|host| Some((host, owners.get(&host.name)?)))
    {
        return Err(called_alike(&host.name, other, &host.identity));
    }
    for still in known.values().flat_map(known_by) {
        left.remove(&still);
    }
    let claimed = std::mem::take(&mut sorted.claimed);
    for (known_by, host) in claimed {
        // What was known before is claimed already.
        if !left.remove(&known_by) {
            sorted.claimed.insert(known_by, host);
        }
    }
    sorted.left = left.into_iter().collect();
    Ok(sorted)
}

/// Claims machines for an environment, or names one that another environment has.
async fn claim(
    tx: &mut Tx,
    environment: EnvironmentId,
    machines: &BTreeMap<String, HostName>,
) -> Result<()> {
    let machines: Vec<_> = machines.iter().collect();
    for machines in machines.chunks(CHUNK) {
        let mut sql = Sql::new("INSERT INTO machines (known_by, environment_id) VALUES ");
        sql.tuples(
            machines
                .iter()
                .map(|(known_by, _)| vec![known_by.as_str().into(), environment.into()]),
        )
        .push(" ON CONFLICT (known_by) DO NOTHING");
        sql.run(&mut **tx).await?;
        let mut sql = Sql::new(
            "SELECT m.known_by, e.name FROM machines m JOIN environments e ON e.id = m.environment_id WHERE m.environment_id <> ",
        );
        sql.bind(environment)
            .push(" AND m.known_by IN ")
            .list(machines.iter().map(|(known_by, _)| known_by.as_str()))
            .push(" ORDER BY m.known_by LIMIT 1");
        let elsewhere = sql
            .optional(&mut **tx, source("machines", "known_by"), |cells| {
                Ok((cells.text("known_by")?, cells.text("name")?))
            })
            .await?;
        if let Some((known_by, other)) = elsewhere {
            let host = machines
                .iter()
                .find(|(key, _)| **key == known_by)
                .map_or("", |(_, host)| host.as_str());
            return Err(duplicate(format!(
                "Host {host} is a machine of the environment {other} already ({known_by}). A machine belongs to one environment: leave it out here, or give it another address there first."
            )));
        }
    }
    Ok(())
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
