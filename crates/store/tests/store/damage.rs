//! Damaged rows, locked and lost databases: a sentence, never a panic.

use store::{RolloutFilter, Store, StoreError};
use testkit::{Database, World, on_each_database};

on_each_database!(
    a_damaged_row_is_named,
    a_damaged_report_does_not_stop_the_others,
    a_damaged_job_or_attempt_does_not_stop_the_others,
    a_closed_store_is_unavailable,
    a_locked_database_is_named,
    two_starts_migrate_once,
    a_newer_database_is_refused
);

async fn a_damaged_row_is_named(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.request("1.1.0").await;
    let (store, all) = (world.store(), world.everything());
    for (column, value) in [
        ("state_json", "{\"v\":1,\"data\":{\"state\":\"sideways\"}}"),
        ("plan_json", "{"),
        ("digest", "not hex"),
        ("plan_json", "{\"v\":2,\"data\":{}}"),
    ] {
        let world = &world;
        let kept = world.load(id).await;
        world.db.run(&format!("CREATE TABLE kept AS SELECT {column} AS value FROM rollouts; UPDATE rollouts SET {column} = '{value}'")).await;
        let StoreError::Corrupt {
            table,
            column: at,
            row,
            ..
        } = store.rollout(&all, id).await.unwrap_err()
        else {
            panic!("{column}")
        };
        assert_eq!(
            (table, at.as_str(), row),
            ("rollouts", column, id.to_string())
        );
        world
            .db
            .run(&format!(
                "UPDATE rollouts SET {column} = (SELECT value FROM kept); DROP TABLE kept"
            ))
            .await;
        assert_eq!(world.load(id).await, kept);
    }
    world
        .db
        .run("UPDATE rollouts SET created_at = 9223372036854775807")
        .await;
    let error = store
        .rollouts(&all, &RolloutFilter::default(), None, 10)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("table rollouts, column created_at, row {id}")),
        "{error}"
    );
    world
        .db
        .run("UPDATE rollouts SET created_at = 1; UPDATE rollout_hosts SET phase = 'sideways'")
        .await;
    let error = store.host_counts(&all, id).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Corrupt {
                table: "rollout_hosts",
                ..
            }
        ),
        "{error}"
    );
}

async fn a_damaged_report_does_not_stop_the_others(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let job = world
        .store()
        .jobs(&world.everything(), id)
        .await
        .unwrap()
        .remove(0)
        .id;
    world.db.run(&format!("UPDATE jobs SET stage = 'finished', ended_at = 1, report_json = 'nonsense' WHERE id = '{job}'")).await;
    assert_eq!(world.store().finished_jobs(10).await.unwrap(), []);
}

async fn a_damaged_job_or_attempt_does_not_stop_the_others(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    world.db.run("UPDATE jobs SET batch = -1").await;
    assert!(crate::claim(&world, "w1").await.is_none());
    world.db.run("UPDATE jobs SET batch = 1").await;
    assert!(crate::claim(&world, "w1").await.is_some());
    assert_eq!(world.store().open_attempts().await.unwrap().len(), 1);
    world.db.run("UPDATE jobs SET batch = -1").await;
    assert_eq!(world.store().open_attempts().await.unwrap(), []);
}

async fn a_closed_store_is_unavailable(db: Database) {
    let world = World::new(db, 3).await;
    world.store().ping().await.unwrap();
    world.store().close().await;
    let refused = world.store().ping().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    assert!(matches!(
        world
            .store()
            .rollouts(&world.everything(), &RolloutFilter::default(), None, 1)
            .await,
        Err(StoreError::Unavailable { .. })
    ));
    assert!(matches!(
        world.request_once("1.1.0", None).await,
        Err(StoreError::Unavailable { .. })
    ));
}

async fn a_locked_database_is_named(db: Database) {
    let world = World::new(db, 3).await;
    let lock = if world.db.url.starts_with("sqlite") {
        "BEGIN IMMEDIATE"
    } else {
        "BEGIN; LOCK TABLE rollouts"
    };
    let held = world.db.hold(lock).await;
    let refused = world.request_once("1.1.0", None).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .starts_with("The database is locked by another process"),
        "{refused}"
    );
    drop(held);
}

async fn two_starts_migrate_once(db: Database) {
    db.store.close().await;
    let starts = (0..4).map(|_| {
        tokio::spawn({
            let url = db.url.clone();
            async move { Store::open(&url).await.map(drop) }
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

async fn a_newer_database_is_refused(db: Database) {
    db.run("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1").await;
    let refused = Store::open(&db.url).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("made by a newer Slipway (migration 9999"),
        "{refused}"
    );
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_answered_with_a_sentence() {
    for (url, says) in [
        ("", "neither SQLite nor PostgreSQL"),
        ("mysql://localhost/x", "neither SQLite nor PostgreSQL"),
        ("sqlite::memory:", "keeps its data in a file"),
        (
            "sqlite:///nowhere/at/all/slipway.db",
            "/nowhere/at/all/slipway.db cannot be used",
        ),
        (
            "postgres://somebody@127.0.0.1:1/slipway",
            "The database does not answer",
        ),
        ("postgres://[", "The database does not answer"),
    ] {
        let refused = Store::open(url).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Unavailable { .. }),
            "{url}: {refused:?}"
        );
        assert!(refused.to_string().contains(says), "{url}: {refused}");
    }
}

#[tokio::test]
async fn two_fresh_starts_on_one_file_do_not_collide() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("slipway.db").display());
    let starts: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn({
                let url = url.clone();
                async move { Store::open(&url).await.map(drop) }
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_answered_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slipway.db");
    std::fs::write(
        &path,
        "this is a letter, not a database, and long enough to be looked at",
    )
    .unwrap();
    let refused = Store::open(&format!("sqlite://{}", path.display()))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
}
