//! People, known by issuer and subject.

use domain::{Timestamp, audit::AuditNote, id::UserId};
use policy::Permit;

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const PEOPLE: Source = source("people", "id");

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
}

fn read(cells: &Cells<'_>) -> Result<Person> {
    Ok(Person {
        id: cells.parse("id")?,
        issuer: cells.text("issuer")?,
        subject: cells.text("subject")?,
        name: cells.text("name")?,
        email: cells.text("email")?,
    })
}

impl Store {
    /// Keeps who signed in, with the newest name and e-mail address; gives the id they have had since the first time.
    pub async fn sign_in(
        &self,
        permit: &Permit,
        person: &Person,
        now: Timestamp,
    ) -> Result<UserId> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "INSERT INTO people (id, issuer, subject, name, email, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
             ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, email = excluded.email, seen_at = excluded.seen_at
             RETURNING id",
        )
            .with(person.id)
            .with(person.issuer.as_str())
            .with(person.subject.as_str())
            .with(person.name.as_str())
            .with(person.email.as_str())
            .with(now);
        let id = sql
            .optional(&mut *tx, PEOPLE, |cells| cells.parse("id"))
            .await?
            .ok_or_else(|| StoreError::conflict(&person.name))?;
        let note = AuditNote::new("person.sign_in", format!("{} signed in", person.name), "");
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

    /// The person with this id, if one signed in.
    pub async fn person(&self, id: UserId) -> Result<Option<Person>> {
        let sql =
            Sql::new("SELECT id, issuer, subject, name, email FROM people WHERE id = $1").with(id);
        sql.optional(self.readers(), PEOPLE, read).await
    }
}
