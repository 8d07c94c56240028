//! The audit trail: written in the transaction of the change, never changed afterwards (triggers see to that).

use domain::{
    Timestamp,
    audit::{Actor, AuditNote, Request},
    id::{AuditEventId, TeamId, UserId},
};
use policy::{Kind, Permit, Scope, Teams};
use uuid::Uuid;
use view::{audit::AuditRow, page::Page};

use crate::{
    Store,
    cells::{Cells, document},
    cursor,
    database::Tx,
    error::{Result, StoreError},
    sql::{Arg, CHUNK, Source, Sql, source},
};

const AUDIT: Source = source("audit_events", "id");
const COUNTERS: Source = source("counters", "name");

/// Which events are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Kind and id of the object they are about.
    pub object: Option<(String, String)>,
    /// Those of a rollout's jobs as well, where the object is a rollout.
    pub with_jobs: bool,
    /// Name of who acted, as it is written.
    pub actor: Option<String>,
    /// What the action begins with, up to its first dot: `rollout`.
    pub about: Option<String>,
    /// From this moment on, and before that one.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Leaves out what is of no team and tells of people and tokens, but for this person.
    pub nobody_but: Option<UserId>,
    /// Words, in any order, of which only the beginnings have to be right.
    pub words: Vec<String>,
}

/// What events are about.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    pub team: Option<TeamId>,
}

impl Object {
    /// What the permit is about.
    pub fn of(permit: &Permit) -> Self {
        let resource = permit.resource();
        Self {
            kind: match resource.kind {
                // What somebody holds is a part of them.
                Kind::Grant => Kind::Person.word(),
                kind => kind.word(),
            },
            id: resource.id.clone(),
            name: resource.name.clone(),
            team: resource.place.team,
        }
    }

    pub fn of_team(self, team: TeamId) -> Self {
        Self {
            team: Some(team),
            ..self
        }
    }

    /// The same, by the id that was kept.
    pub fn with_id(self, id: impl ToString) -> Self {
        Self {
            id: id.to_string(),
            ..self
        }
    }
}

/// Takes the next `many` numbers of a counter; gives the first. The counter stays locked until the transaction ends, so
/// it is taken as late as possible, and `audit` after `outbox`.
pub(crate) async fn numbers(tx: &mut Tx, counter: &str, many: usize) -> Result<i64> {
    let many = i64::try_from(many).map_err(StoreError::defect)?;
    let sql =
        Sql::new("UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING name, value")
            .with(many)
            .with(counter);
    let last = sql
        .optional(&mut **tx, COUNTERS, |cells| cells.int("value"))
        .await?;
    Ok(last.ok_or_else(|| StoreError::defect(format!("counter {counter} is missing")))? - many + 1)
}

/// An id that follows from time and number alone, and sorts by them: a UUIDv7 without chance.
pub(crate) fn numbered_id(at: Timestamp, number: i64) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

/// Writes what was done to one object. Call it last: the counter it takes is shared by all writers.
pub(crate) async fn write(
    tx: &mut Tx,
    permit: &Permit,
    object: &Object,
    notes: &[AuditNote],
    at: Timestamp,
) -> Result<()> {
    let notes: Vec<_> = notes.iter().map(|note| (object, note)).collect();
    write_each(tx, permit, &notes, at).await
}

/// As `write`, of several objects.
pub(crate) async fn write_each(
    tx: &mut Tx,
    permit: &Permit,
    notes: &[(&Object, &AuditNote)],
    at: Timestamp,
) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let first = numbers(tx, "audit", notes.len()).await?;
    let kind = match permit.actor() {
        Actor::Person { .. } => "person",
        Actor::System => "system",
    };
    let Request { id, address, token } = permit.request();
    let request_id = id.map(|id| id.to_string()).unwrap_or_default();
    let address = address.map(|from| from.to_string()).unwrap_or_default();
    let rows: Vec<Vec<Arg>> = notes
        .iter()
        .zip(first..)
        .map(|((object, note), seq)| {
            Ok(vec![
                seq.into(),
                AuditEventId(numbered_id(at, seq)).into(),
                at.into(),
                kind.into(),
                permit.actor().person().into(),
                permit.actor().name().into(),
                note.action.as_str().into(),
                note.summary.as_str().into(),
                note.reason.as_str().into(),
                object.kind.into(),
                object.id.as_str().into(),
                object.name.as_str().into(),
                object.team.into(),
                permit.allowed_by().into(),
                changes(note)?.into(),
                request_id.as_str().into(),
                address.as_str().into(),
                token.into(),
            ])
        })
        .collect::<Result<_>>()?;
    for rows in rows.chunks(CHUNK) {
        let mut sql = Sql::new(
            "INSERT INTO audit_events (seq, id, at, actor_kind, actor_id, actor_name, action, summary, reason, object_kind, object_id, object_name, team_id, allowed_by, changes_json, request_id, address, token_id) VALUES ",
        );
        sql.tuples(rows.iter().cloned());
        sql.run(&mut **tx).await?;
    }
    Ok(())
}

/// As it is kept; nothing where nothing is said to have changed.
fn changes(note: &AuditNote) -> Result<Option<String>> {
    Some(&note.changes)
        .filter(|changes| !changes.is_empty())
        .map(document)
        .transpose()
}

fn read(cells: &Cells<'_>) -> Result<(i64, AuditRow)> {
    let row = AuditRow {
        id: cells.text("id")?,
        at: cells.time("at")?,
        actor: cells.text("actor_name")?,
        actor_id: cells.maybe("actor_id")?,
        actor_kind: cells.text("actor_kind")?,
        action: cells.text("action")?,
        summary: cells.text("summary")?,
        reason: cells.text("reason")?,
        object_kind: cells.text("object_kind")?,
        object_id: cells.text("object_id")?,
        object_name: cells.text("object_name")?,
        allowed_by: cells.text("allowed_by")?,
        changes: cells.maybe_document("changes_json")?.unwrap_or_default(),
        request_id: cells.text("request_id")?,
        address: cells.text("address")?,
        token: cells.maybe("token")?,
    };
    Ok((cells.int("seq")?, row))
}

impl Store {
    /// Writes down what changed nothing else: that something was refused to somebody, or taken out by them.
    pub async fn note(&self, permit: &Permit, note: &AuditNote, at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        write(
            &mut tx,
            permit,
            &Object::of(permit),
            std::slice::from_ref(note),
            at,
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// A page of the audit trail, newest first. A scope of some teams shows what is about those teams.
    pub async fn audit(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditRow>> {
        const COLUMNS: &str = "SELECT seq, id, at, actor_kind, actor_id, actor_name, action, summary, reason, object_kind, object_id, object_name, allowed_by, changes_json, request_id, address, (SELECT name FROM tokens WHERE tokens.id = token_id) AS token FROM ";
        let mut sql = Sql::new("");
        match &filter.object {
            // What is about one object is found first: neither database can tell that it is less than the newest of all.
            Some((kind, id)) => {
                sql.push("WITH about (found) AS MATERIALIZED (SELECT seq FROM audit_events WHERE object_kind = ")
                    .bind(kind.as_str())
                    .push(" AND object_id = ")
                    .bind(id.as_str());
                if filter.with_jobs && kind == Kind::Rollout.word() {
                    sql.push(" UNION ALL SELECT a.seq FROM jobs j CROSS JOIN audit_events a WHERE a.object_kind = 'job' AND a.object_id = j.id AND j.rollout_id = ")
                        .bind(id.as_str());
                }
                sql.push(") ")
                    .push(COLUMNS)
                    .push("about CROSS JOIN audit_events WHERE seq = found");
            }
            None => {
                sql.push(COLUMNS).push("audit_events WHERE seq > 0");
            }
        }
        sql.scope("team_id", scope);
        if let Some(user) = filter.nobody_but {
            sql.push(" AND (team_id IS NOT NULL OR object_kind NOT IN ('person', 'token') OR object_id = ")
                .bind(user)
                .push(")");
        }
        if let Some(actor) = &filter.actor {
            sql.push(" AND actor_name = ").bind(actor.as_str());
        }
        if let Some(about) = &filter.about {
            // From the dot to what comes after it in the order of characters.
            sql.push(" AND action >= ")
                .bind(format!("{about}."))
                .push(" AND action < ")
                .bind(format!("{about}/"));
        }
        if let Some(since) = filter.since {
            sql.push(" AND at >= ").bind(since);
        }
        if let Some(until) = filter.until {
            sql.push(" AND at < ").bind(until);
        }
        if !filter.words.is_empty() {
            self.backend().holds_words(&mut sql, &filter.words);
        }
        if let Some(seq) = cursor::read::<i64>(cursor)? {
            sql.push(" AND seq < ").bind(seq);
        }
        sql.push(" ORDER BY seq DESC LIMIT ")
            .bind(cursor::fetch(limit));
        cursor::page(sql.all(self.readers(), AUDIT, read).await?, limit)
    }

    /// How many events may be seen; of all teams that is a counter, of some they are counted.
    pub async fn audit_total(&self, scope: &Scope) -> Result<i64> {
        let mut sql = Sql::new("SELECT 'audit' AS name, ");
        match scope.teams() {
            Teams::All => sql.push("value FROM counters WHERE name = 'audit'"),
            Teams::Of(_) => sql
                .push("COUNT(*) AS value FROM audit_events WHERE seq > 0")
                .scope("team_id", scope),
        };
        Ok(sql
            .optional(self.readers(), COUNTERS, |cells| cells.int("value"))
            .await?
            .unwrap_or(0))
    }
}
