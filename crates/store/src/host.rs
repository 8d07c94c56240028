//! The inventory.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    audit::AuditNote,
    host::Host,
    id::{EnvironmentId, HostId},
    inventory::{Absent, Difference},
    text::{HostName, Sha256},
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
    reservation,
    sql::{Arg, CHUNK, Source, Sql, source},
};

pub(crate) const HOSTS: Source = source("hosts", "id");

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    pub added: u32,
    pub changed: u32,
    pub removed: u32,
    pub unchanged: u32,
}

/// An inventory to be taken over.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    pub hosts: &'a [Host],
    pub absent: Absent,
    /// Digest of the difference somebody looked at; `None` where nobody did.
    pub seen: Option<&'a Sha256>,
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
        facts: cells.maybe_document("facts_json")?,
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
        let mut sql = Sql::new(
            "SELECT h.*, f.facts_json FROM hosts h LEFT JOIN host_facts f ON f.host_id = h.id WHERE h.removed_at IS NULL AND h.environment_id = ",
        );
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
            "all" => Sql::new("SELECT h.* FROM hosts h WHERE h.environment_id = $1 AND h.removed_at IS NULL ORDER BY h.name").with(environment),
            group => Sql::new(
                "SELECT h.* FROM host_groups g JOIN hosts h ON h.id = g.host_id WHERE g.environment_id = $1 AND g.group_name = $2 ORDER BY h.name",
            )
            .with(environment)
            .with(group),
        };
        sql.all(self.readers(), HOSTS, read).await
    }

    /// Hosts as they are, against those of an inventory. Writes nothing.
    pub async fn inventory_difference(
        &self,
        _: &Scope,
        environment: EnvironmentId,
        hosts: &[Host],
        absent: Absent,
    ) -> Result<Difference> {
        let mut tx = self.snapshot().await?;
        let difference = between(known(&mut tx, environment).await?, hosts, absent)?;
        // What the import would refuse is not shown as what it would do.
        for removed in difference.removed().chunks(CHUNK) {
            refuse_held(&mut tx, removed).await?;
        }
        let after = machines(hosts, &difference);
        let machines: Vec<_> = after.iter().collect();
        for machines in machines.chunks(CHUNK) {
            refuse_elsewhere(&mut tx, environment, machines).await?;
        }
        Ok(difference)
    }

    /// Adds, changes and removes hosts, told apart by identity; a known host keeps its id, and one that comes back has the
    /// id it had. A host that a rollout holds is not removed. Refuses a difference other than the one that was seen.
    pub async fn hosts_import(
        &self,
        permit: &Permit,
        environment: EnvironmentId,
        import: Import<'_>,
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
        let known = known(&mut tx, environment).await?;
        let before: BTreeSet<String> = known.iter().flat_map(known_by).collect();
        let difference = between(known, import.hosts, import.absent)?;
        let digest = difference.digest().map_err(StoreError::defect)?;
        if import.seen.is_some_and(|seen| *seen != digest) {
            return Err(StoreError::Invalid {
                field: "inventory",
                message: "This is not the difference that was shown: the inventory or the hosts changed since. Look at the difference again.".to_owned(),
            });
        }
        remove(&mut tx, environment, difference.removed(), now).await?;
        claim(&mut tx, environment, &before, import, &difference).await?;
        let known_once = known_once(&mut tx, environment, &difference.added).await?;
        let added = difference.added.iter().map(|host| Host {
            id: known_once.get(&host.identity).copied().unwrap_or(host.id),
            environment,
            ..host.clone()
        });
        let changed = difference.changed.iter().map(|change| change.host.clone());
        let write: Vec<Host> = added.chain(changed).collect();
        // Names may have changed places among all of these; an id is a name nobody has.
        for hosts in write.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE hosts SET name = id WHERE id IN ");
            sql.list(hosts.iter().map(|host| host.id));
            sql.run(&mut *tx).await?;
        }
        for hosts in write.chunks(CHUNK) {
            upsert(&mut tx, hosts, now).await?;
        }
        let count = |hosts: usize| u32::try_from(hosts).unwrap_or(u32::MAX);
        let imported = Imported {
            added: count(difference.added.len()),
            changed: count(difference.changed.len()),
            removed: count(difference.removed().len()),
            unchanged: difference.unchanged,
        };
        let grow = Sql::new("UPDATE environments SET host_count = host_count + $1 WHERE id = $2");
        grow.with(i64::from(imported.added) - i64::from(imported.removed))
            .with(environment)
            .run(&mut *tx)
            .await?;
        let Imported {
            added,
            changed,
            removed,
            unchanged,
        } = imported;
        let note = AuditNote::new(
            "inventory.import",
            format!(
                "Hosts were imported: {added} new, {changed} changed, {removed} removed, {unchanged} as before"
            ),
            difference.to_string(),
        );
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        tx.commit().await?;
        Ok(imported)
    }
}

/// Hosts of an environment.
async fn known(tx: &mut Tx, environment: EnvironmentId) -> Result<Vec<Host>> {
    Sql::new("SELECT h.* FROM hosts h WHERE h.environment_id = $1 AND h.removed_at IS NULL")
        .with(environment)
        .all(&mut **tx, HOSTS, read)
        .await
}

/// Ids of hosts that left the environment, for those of these that come back.
async fn known_once(
    tx: &mut Tx,
    environment: EnvironmentId,
    hosts: &[Host],
) -> Result<BTreeMap<String, HostId>> {
    let mut ids = BTreeMap::new();
    for hosts in hosts.chunks(CHUNK) {
        let mut sql = Sql::new(
            "SELECT h.id, h.identity FROM hosts h WHERE h.removed_at IS NOT NULL AND h.environment_id = ",
        );
        sql.bind(environment)
            .push(" AND h.identity IN ")
            .list(hosts.iter().map(|host| host.identity.as_str()));
        let left = sql.all(&mut **tx, HOSTS, |cells| {
            Ok((cells.text("identity")?, cells.parse("id")?))
        });
        ids.extend(left.await?);
    }
    Ok(ids)
}

/// What a machine is known by: its address, and its identity if it has one.
fn known_by(host: &Host) -> impl Iterator<Item = String> {
    let identity = host
        .known_identity()
        .map(|identity| format!("identity {identity}"));
    std::iter::once(format!("address {}", host.address())).chain(identity)
}

/// Takes hosts out of the inventory, or names one that a rollout holds. They stay for what happened on them.
async fn remove(
    tx: &mut Tx,
    environment: EnvironmentId,
    hosts: &[Host],
    now: Timestamp,
) -> Result<()> {
    for hosts in hosts.chunks(CHUNK) {
        let ids = || hosts.iter().map(|host| host.id);
        // Its name is free from now on, and so is an identity that is only its name: whoever is called so next is another
        // machine. An id is a name nobody has.
        let mut sql = Sql::new(
            "UPDATE hosts SET identity = CASE WHEN identity = name THEN id ELSE identity END, name = id, removed_at = ",
        );
        sql.bind(now).push(", changed_at = ").bind(now);
        sql.push(" WHERE environment_id = ")
            .bind(environment)
            .push(" AND id IN ")
            .list(ids());
        sql.run(&mut **tx).await?;
        // Asked behind the rows' locks: from here on no rollout can take one of them.
        refuse_held(tx, hosts).await?;
        for gone in [
            "DELETE FROM host_groups WHERE host_id IN ",
            "DELETE FROM installed WHERE host_id IN ",
        ] {
            let mut sql = Sql::new(gone);
            sql.list(ids());
            sql.run(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Gives up the machines that no host is known by any more and claims those that are new, or names one that another
/// environment has. `before` is what the environment's hosts were known by.
async fn claim(
    tx: &mut Tx,
    environment: EnvironmentId,
    before: &BTreeSet<String>,
    import: Import<'_>,
    difference: &Difference,
) -> Result<()> {
    let after = machines(import.hosts, difference);
    let left: Vec<&String> = before
        .iter()
        .filter(|known_by| !after.contains_key(*known_by))
        .collect();
    for left in left.chunks(CHUNK) {
        let mut sql = Sql::new("DELETE FROM machines WHERE known_by IN ");
        sql.list(left.iter().map(|known_by| known_by.as_str()))
            .push(" AND environment_id = ")
            .bind(environment);
        sql.run(&mut **tx).await?;
    }
    let machines: Vec<_> = after
        .iter()
        .filter(|(known_by, _)| !before.contains(*known_by))
        .collect();
    for machines in machines.chunks(CHUNK) {
        let mut sql = Sql::new("INSERT INTO machines (known_by, environment_id) VALUES ");
        sql.tuples(
            machines
                .iter()
                .map(|(known_by, _)| vec![known_by.as_str().into(), environment.into()]),
        )
        .push(" ON CONFLICT (known_by) DO NOTHING");
        sql.run(&mut **tx).await?;
        refuse_elsewhere(tx, environment, machines).await?;
    }
    Ok(())
}

/// What the hosts of an environment are known by after an import, with their names.
fn machines<'a>(read: &'a [Host], difference: &'a Difference) -> BTreeMap<String, &'a HostName> {
    let kept = match difference.absent {
        Absent::Keep => difference.gone.as_slice(),
        Absent::Remove => &[],
    };
    let hosts = read.iter().chain(kept);
    let known = hosts.flat_map(|host| known_by(host).map(|known_by| (known_by, &host.name)));
    known.collect()
}

/// Names a machine that another environment has.
async fn refuse_elsewhere(
    tx: &mut Tx,
    environment: EnvironmentId,
    machines: &[(&String, &&HostName)],
) -> Result<()> {
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
    let Some((known_by, other)) = elsewhere else {
        return Ok(());
    };
    let host = machines
        .iter()
        .find(|(key, _)| **key == known_by)
        .map_or("", |(_, host)| host.as_str());
    Err(duplicate(format!(
        "Host {host} is a machine of the environment {other} already ({known_by}). A machine belongs to one environment: leave it out here, or give it another address there first."
    )))
}

/// Names a host that cannot be removed because a rollout holds it.
async fn refuse_held(tx: &mut Tx, hosts: &[Host]) -> Result<()> {
    let holder = reservation::holder(tx, hosts.iter().map(|host| host.id)).await?;
    let Some((id, rollout)) = holder else {
        return Ok(());
    };
    let host = hosts.iter().find(|host| host.id == id);
    let host = host.map_or("", |host| host.name.as_str());
    Err(StoreError::Invalid {
        field: "inventory",
        message: format!(
            "Host {host} cannot be removed: the rollout of {rollout} holds it. Let that rollout end first, or keep the hosts that the inventory does not name."
        ),
    })
}

fn between(known: Vec<Host>, read: &[Host], absent: Absent) -> Result<Difference> {
    Difference::between(known, read, absent).map_err(|error| duplicate(error.message))
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
    let mut sql = Sql::new(
        "INSERT INTO hosts (id, environment_id, identity, name, criticality, failure_domain, groups_json, variables_json, created_at, changed_at) VALUES ",
    );
    sql.tuples(rows).push(
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, criticality = excluded.criticality, failure_domain = excluded.failure_domain,
          groups_json = excluded.groups_json, variables_json = excluded.variables_json, changed_at = excluded.changed_at, removed_at = NULL",
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
