//! What hosts told of themselves.

use domain::{Timestamp, facts::HostFacts, id::HostId};
use policy::Permit;

use crate::{
    Store,
    cells::document,
    error::Result,
    sql::{Arg, CHUNK, Sql},
};

impl Store {
    /// Keeps what hosts told, in place of what they told before.
    pub async fn facts_keep(
        &self,
        _: &Permit,
        facts: &[(HostId, HostFacts)],
        now: Timestamp,
    ) -> Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_relaxed().await?;
        for facts in facts.chunks(CHUNK) {
            let rows = facts.iter().map(|(host, facts)| {
                Ok(vec![
                    Arg::from(*host),
                    Arg::from(document(facts)?),
                    Arg::from(now),
                ])
            });
            let rows: Vec<Vec<Arg>> = rows.collect::<Result<_>>()?;
            let mut sql = Sql::new("INSERT INTO host_facts (host_id, facts_json, seen_at) VALUES ");
            sql.tuples(rows).push(
                " ON CONFLICT (host_id) DO UPDATE SET facts_json = excluded.facts_json, seen_at = excluded.seen_at",
            );
            sql.run(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}
