//! People, known by issuer and subject; what they hold.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{GrantId, TeamId, UserId},
    person::{PersonKind, PersonState},
};
use policy::{Grant, Permit, Place, Role};
use view::{
    page::Page,
    person::{GrantRow, PersonRow},
};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    cursor,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const PEOPLE: Source = source("people", "id");
const GRANTS: Source = source("grants", "id");

/// Somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    /// Who vouches for them.
    pub issuer: String,
    /// Their name there, which never changes.
    pub subject: String,
    pub name: String,
    pub email: String,
    /// The same for two sign-ins of one human; empty where nothing is known of it.
    pub human: String,
    /// What the provider says they belong to.
    pub groups: Vec<String>,
}

/// What is asked of a person with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonNow {
    pub person: Person,
    pub kind: PersonKind,
    /// When they signed in last.
    pub seen_at: Timestamp,
    pub state: PersonState,
    /// Why they are kept out; empty while they are not.
    pub state_reason: String,
    /// Given in the console, and in force.
    pub grants: Vec<Grant>,
    /// Other sign-ins of the same human.
    pub selves: Vec<UserId>,
}

/// A role that somebody is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    pub id: GrantId,
    pub person: UserId,
    pub grant: Grant,
    /// Where it is held, as the trail says it.
    pub told: String,
    pub reason: String,
    pub expires_at: Option<Timestamp>,
}

/// Who could give a role: whoever has this one, given or by a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giver {
    pub role: Role,
    /// Held in this team; everywhere when `None`.
    pub team: Option<TeamId>,
    /// Groups that come with it, with the provider whose groups they are.
    pub groups: Vec<(String, Option<String>)>,
}

/// Vouches for service accounts. No identity provider is called so, because it is no address.
const ITSELF: &str = "slipway";

const COLUMNS: &str = "SELECT p.id, p.issuer, p.subject, p.name, p.email, p.human, p.groups_json, p.kind, p.state, p.state_reason, p.seen_at FROM people p WHERE ";

fn read(cells: &Cells<'_>) -> Result<Person> {
    Ok(Person {
        id: cells.parse("id")?,
        issuer: cells.text("issuer")?,
        subject: cells.text("subject")?,
        name: cells.text("name")?,
        email: cells.text("email")?,
        human: cells.text("human")?,
        groups: cells.document("groups_json")?,
    })
}

fn read_row(cells: &Cells<'_>) -> Result<((String, UserId), PersonRow)> {
    let row = PersonRow {
        id: cells.parse("id")?,
        name: cells.text("name")?,
        email: cells.text("email")?,
        issuer: cells.text("issuer")?,
        kind: cells.parse("kind")?,
        state: cells.parse("state")?,
        state_reason: cells.text("state_reason")?,
        groups: cells.document("groups_json")?,
        roles: Vec::new(),
        seen_at: cells.time("seen_at")?,
    };
    Ok(((row.name.clone(), row.id), row))
}

fn read_place(cells: &Cells<'_>) -> Result<Grant> {
    Ok(Grant {
        role: cells.parse("role")?,
        place: Place {
            team: cells.maybe("team_id")?,
            service: cells.maybe("service_id")?,
            environment: cells.maybe("environment_id")?,
        },
    })
}

impl Store {
    /// Names of people who hold one of these roles and are not `but`; who was seen last first.
    pub async fn givers(
        &self,
        wanted: &[Giver],
        but: &[UserId],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>> {
        let mut sql = Sql::new(
            "SELECT p.id, p.name, p.human FROM people p WHERE p.kind = 'human' AND p.state = 'active' AND NOT EXISTS (SELECT 1 FROM people o WHERE p.human <> '' AND o.human = p.human AND o.state = 'disabled') AND p.id NOT IN ",
        );
        sql.list(but.iter().copied())
            .push(" AND (p.id IN (SELECT g.principal_id FROM grants g WHERE g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > ")
            .bind(now)
            .push(") AND g.service_id IS NULL AND g.environment_id IS NULL AND (1 = 0");
        for giver in wanted {
            sql.push(" OR (g.role = ").bind(giver.role.word());
            match giver.team {
                Some(team) => sql.push(" AND g.team_id = ").bind(team).push(")"),
                None => sql.push(" AND g.team_id IS NULL)"),
            };
        }
        sql.push("))");
        for (group, issuer) in wanted.iter().flat_map(|giver| &giver.groups) {
            // LIKE would take small letters for capital ones on SQLite.
            let quoted = serde_json::to_string(group).map_err(StoreError::defect)?;
            sql.push(" OR (p.groups_json <> REPLACE(p.groups_json, ")
                .bind(quoted)
                .push(", '')");
            if let Some(issuer) = issuer {
                sql.push(" AND p.issuer = ").bind(issuer.as_str());
            }
            sql.push(")");
        }
        sql.push(") ORDER BY p.seen_at DESC, p.id LIMIT ")
            // Somebody may have signed in at several providers.
            .bind(i64::from(limit) * 3);
        let mut found = sql
            .all(self.readers(), PEOPLE, |cells| {
                Ok((cells.text("human")?, cells.text("name")?))
            })
            .await?;
        let mut humans = BTreeSet::new();
        found.retain(|(human, _)| human.is_empty() || humans.insert(human.clone()));
        found.truncate(limit as usize);
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    /// Sign-ins of people who are kept out by another of their sign-ins.
    pub async fn out_by_another(&self) -> Result<BTreeSet<UserId>> {
        let sql = Sql::new(
            "SELECT p.id FROM people p JOIN people o ON o.human = p.human WHERE o.state = 'disabled' AND o.human <> '' AND p.state = 'active'",
        );
        let ids = sql.all(self.readers(), PEOPLE, |cells| cells.parse("id"));
        Ok(ids.await?.into_iter().collect())
    }

    /// People of this e-mail address or this name, letter for letter but for case; two at most.
    pub async fn people_called(&self, called: &str) -> Result<Vec<UserId>> {
        let small = called.to_lowercase();
        let sql = Sql::new("SELECT p.id FROM people p WHERE LOWER(p.email) = $1 OR LOWER(p.name) = $1 OR p.email = $2 OR p.name = $2 ORDER BY p.id LIMIT 2")
            .with(small.as_str())
            // A database may know no capital letters but the English ones.
            .with(called);
        sql.all(self.readers(), PEOPLE, |cells| cells.parse("id"))
            .await
    }

    /// Keeps who the provider vouched for, with the newest name, e-mail address and groups; gives the id they have had since
    /// the first time. The trail says whether they were let in.
    pub async fn sign_in(
        &self,
        permit: &Permit,
        person: &Person,
        now: Timestamp,
    ) -> Result<UserId> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO people (id, issuer, subject, name, email, human, groups_json, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, email = excluded.email, human = excluded.human, groups_json = excluded.groups_json, seen_at = excluded.seen_at
             RETURNING id, state",
        )
            .with(person.id)
            .with(person.issuer.as_str())
            .with(person.subject.as_str())
            .with(person.name.as_str())
            .with(person.email.as_str())
            .with(person.human.as_str())
            .with(document(&person.groups)?)
            .with(now);
        let (id, state) = sql
            .optional(&mut *tx, PEOPLE, |cells| {
                Ok((cells.parse("id")?, cells.parse("state")?))
            })
            .await?
            .ok_or_else(|| StoreError::conflict(&person.name))?;
        let note = match state {
            PersonState::Active => {
                AuditNote::new("person.sign_in", format!("{} signed in", person.name), "")
            }
            PersonState::Disabled => AuditNote::new(
                "person.turn_away",
                format!("{} was turned away: an admin keeps them out", person.name),
                "",
            ),
        };
        let permit = &permit.clone().signing_in(id, &person.name);
        audit::write(
            &mut tx,
            permit,
            &Object::of(permit).with_id(id),
            &[note],
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Keeps a service account, which holds nothing yet.
    pub async fn service_account(
        &self,
        permit: &Permit,
        id: UserId,
        name: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        // The name it is unique by: a database may know no capital letters but the English ones.
        let subject = name.to_lowercase();
        let made = Sql::new("INSERT INTO people (id, issuer, subject, name, email, human, kind, created_at, seen_at) VALUES ($1, $2, $3, $4, '', '', 'service', $5, $5) ON CONFLICT (issuer, subject) DO NOTHING")
            .with(id)
            .with(ITSELF)
            .with(subject.as_str())
            .with(name)
            .with(now)
            .run(&mut *tx)
            .await?;
        if made == 0 {
            return Err(StoreError::Duplicate {
                field: "name",
                message: format!(
                    "There is a service account called {name} already. Give this one another name."
                ),
            });
        }
        let note = AuditNote::new(
            "person.create",
            format!("The service account {name} was made"),
            reason,
        );
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// What a person is and holds; asked with each request, so that nothing of it is ever old.
    pub async fn person_now(&self, id: UserId, now: Timestamp) -> Result<Option<PersonNow>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("p.id = ").bind(id);
        let found = sql
            .optional(self.readers(), PEOPLE, |cells| {
                let (kind, state) = (cells.parse("kind")?, cells.parse("state")?);
                let seen_at = cells.time("seen_at")?;
                Ok((
                    read(cells)?,
                    kind,
                    seen_at,
                    state,
                    cells.text("state_reason")?,
                ))
            })
            .await?;
        let Some((person, kind, seen_at, mut state, mut state_reason)) = found else {
            return Ok(None);
        };
        let sql = Sql::new(
            "SELECT id, role, team_id, service_id, environment_id FROM grants
             WHERE principal_id = $1 AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > $2) ORDER BY granted_at, id",
        );
        let grants = sql
            .with(id)
            .with(now)
            .all(self.readers(), GRANTS, read_place)
            .await?;
        let mut selves = Vec::new();
        if !person.human.is_empty() {
            let sql = Sql::new(
                "SELECT id, state, state_reason FROM people WHERE human = $1 AND id <> $2",
            );
            let others =
                sql.with(person.human.as_str())
                    .with(id)
                    .all(self.readers(), PEOPLE, |cells| {
                        let state: PersonState = cells.parse("state")?;
                        Ok((cells.parse("id")?, state, cells.text("state_reason")?))
                    });
            for (other, other_state, reason) in others.await? {
                selves.push(other);
                // Whoever is kept out is so under every name they have.
                if other_state == PersonState::Disabled && state == PersonState::Active {
                    (state, state_reason) = (other_state, reason);
                }
            }
        }
        Ok(Some(PersonNow {
            person,
            kind,
            seen_at,
            state,
            state_reason,
            grants,
            selves,
        }))
    }

    /// A page of people by name.
    pub async fn people(&self, cursor: Option<&str>, limit: u32) -> Result<Page<PersonRow>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("p.id <> ''");
        if let Some((name, id)) = cursor::read::<(String, UserId)>(cursor)? {
            sql.push(" AND (p.name, p.id) > (")
                .bind(name)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY p.name, p.id LIMIT ")
            .bind(cursor::fetch(limit));
        cursor::page(sql.all(self.readers(), PEOPLE, read_row).await?, limit)
    }

    /// One person as the list shows them.
    pub async fn person_row(&self, id: UserId) -> Result<PersonRow> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("p.id = ").bind(id);
        let row = sql.optional(self.readers(), PEOPLE, read_row).await?;
        row.map(|(_, row)| row)
            .ok_or_else(|| StoreError::not_found(format!("The person {id}")))
    }

    /// Lets a person in, or keeps them out: who is kept out has no session left.
    pub async fn person_state(
        &self,
        permit: &Permit,
        id: UserId,
        state: PersonState,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let kept = match state {
            PersonState::Active => "",
            PersonState::Disabled => reason,
        };
        let sql = Sql::new(
            "UPDATE people SET state = $1, state_reason = $2 WHERE id = $3 AND state <> $1",
        );
        let moved = sql
            .with(state.word())
            .with(kept)
            .with(id)
            .run(&mut *tx)
            .await?;
        if moved == 0 {
            return Err(StoreError::conflict(&permit.resource().name));
        }
        let name = &permit.resource().name;
        let note = match state {
            PersonState::Active => {
                AuditNote::new("person.enable", format!("{name} was let in again"), reason)
                    .changed("State", "kept out", "let in")
            }
            PersonState::Disabled => {
                AuditNote::new("person.disable", format!("{name} is kept out"), reason)
                    .changed("State", "let in", "kept out")
            }
        };
        // Also of whoever is let in: one that was begun in the moment in which they were kept out.
        Sql::new("DELETE FROM sessions WHERE user_id = $1")
            .with(id)
            .run(&mut *tx)
            .await?;
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Gives somebody a role.
    pub async fn grant(&self, permit: &Permit, new: &NewGrant, now: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO grants (id, principal_id, role, team_id, service_id, environment_id, reason, granted_by, granted_by_name, granted_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        );
        let place = new.grant.place;
        sql.with(new.id)
            .with(new.person)
            .with(new.grant.role.word())
            .with(place.team)
            .with(place.service)
            .with(place.environment)
            .with(new.reason.as_str())
            .with(permit.actor().person())
            .with(permit.actor().name())
            .with(now)
            .with(new.expires_at)
            .run(&mut *tx)
            .await?;
        let note = AuditNote::new(
            "grant.give",
            format!("{} was given the role {}", permit.resource().name, new.told),
            &new.reason,
        )
        .changed("Role", "", new.told.as_str());
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a role away that was given in the console.
    pub async fn grant_end(
        &self,
        permit: &Permit,
        person: UserId,
        id: GrantId,
        told: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "UPDATE grants SET ended_at = $1, ended_by_name = $2, ended_reason = $3 WHERE id = $4 AND principal_id = $5 AND ended_at IS NULL",
        );
        let ended = sql
            .with(now)
            .with(permit.actor().name())
            .with(reason)
            .with(id)
            .with(person)
            .run(&mut *tx)
            .await?;
        if ended == 0 {
            return Err(StoreError::conflict(format!("The role {told}")));
        }
        let note = AuditNote::new(
            "grant.end",
            format!("The role {told} was taken from {}", permit.resource().name),
            reason,
        )
        .changed("Role", told, "");
        audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        Ok(tx.commit().await?)
    }

    /// Roles that a person was given in the console, in force or not, newest first.
    pub async fn grants_of(&self, person: UserId) -> Result<Vec<(Grant, GrantRow)>> {
        let mut of_each = self.grants_of_each(&[person]).await?;
        Ok(of_each.remove(&person).unwrap_or_default())
    }

    /// As `grants_of`, of several people.
    pub async fn grants_of_each(
        &self,
        people: &[UserId],
    ) -> Result<BTreeMap<UserId, Vec<(Grant, GrantRow)>>> {
        let mut of_each: BTreeMap<UserId, Vec<_>> = BTreeMap::new();
        if people.is_empty() {
            return Ok(of_each);
        }
        let mut sql = Sql::new(
            "SELECT g.*, t.name AS team, s.name AS service, e.name AS environment FROM grants g
             LEFT JOIN teams t ON t.id = g.team_id LEFT JOIN services s ON s.id = g.service_id
             LEFT JOIN environments e ON e.id = g.environment_id WHERE g.principal_id IN ",
        );
        sql.list(people.iter().copied())
            .push(" ORDER BY g.granted_at DESC, g.id DESC");
        let read = |cells: &Cells<'_>| {
            let grant = read_place(cells)?;
            let row = GrantRow {
                id: cells.parse("id")?,
                role: grant.role.label().to_owned(),
                team: cells.maybe("team")?,
                service: cells.maybe("service")?,
                environment: cells.maybe("environment")?,
                reason: cells.text("reason")?,
                granted_by: cells.text("granted_by_name")?,
                granted_at: cells.time("granted_at")?,
                expires_at: cells.maybe_time("expires_at")?,
                ended_at: cells.maybe_time("ended_at")?,
                ended_by: cells.text("ended_by_name")?,
                ended_reason: cells.text("ended_reason")?,
            };
            Ok((cells.parse("principal_id")?, (grant, row)))
        };
        for (person, grant) in sql.all(self.readers(), GRANTS, read).await? {
            of_each.entry(person).or_default().push(grant);
        }
        Ok(of_each)
    }
}
