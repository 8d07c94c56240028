//! Whose the database is, and that it is one.

use std::os::unix::fs::PermissionsExt as _;

use store::{ServeLock, Store};
use testkit::{Database, on_each_database};

on_each_database!(one_server_works_on_a_database);

async fn one_server_works_on_a_database(db: Database) {
    let first = ServeLock::take(&db.url).await.unwrap();
    let refusal = ServeLock::take(&db.url).await.unwrap_err().to_string();
    for word in ["Another Slipway", "database_url", "SLIPWAY_DATABASE_URL"] {
        assert!(refusal.contains(word), "{refusal}");
    }
    assert!(!refusal.contains("postgres://"), "{refusal}");
    // The command line may work on the database of a running server.
    Store::open(&db.url).await.unwrap().close().await;
    drop(first);
}

#[tokio::test]
async fn a_link_to_the_file_is_the_same_database() {
    let db = Database::sqlite().await;
    let file = db.url.strip_prefix("sqlite://").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(file, &link).unwrap();
    let first = ServeLock::take(&db.url).await.unwrap();
    let url = format!("sqlite://{}", link.display());
    assert!(ServeLock::take(&url).await.is_err());
    drop(first);
    ServeLock::take(&url).await.unwrap();
}

#[tokio::test]
async fn a_server_that_lost_its_lock_is_told() {
    let db = Database::postgres().await;
    let mut held = ServeLock::take(&db.url).await.unwrap();
    db.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .await;
    let lost = held.lost().await.unwrap_err().to_string();
    assert!(lost.contains("start Slipway again"), "{lost}");
    ServeLock::take(&db.url).await.unwrap();
}

#[tokio::test]
async fn a_server_whose_file_was_moved_is_told() {
    let db = Database::sqlite().await;
    let file = db.url.strip_prefix("sqlite://").unwrap().to_owned();
    let mut held = ServeLock::take(&db.url).await.unwrap();
    let soon = tokio::time::timeout(std::time::Duration::from_millis(50), held.lost()).await;
    assert!(soon.is_err(), "it is there");
    std::fs::rename(&file, format!("{file}.away")).unwrap();
    let lost = held.lost().await.unwrap_err().to_string();
    assert!(lost.contains("was moved"), "{lost}");
    std::fs::copy(format!("{file}.away"), &file).unwrap();
    assert!(held.lost().await.is_err(), "another file of that name");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let content = "root:x:0:0:root:/root:/bin/sh\n".repeat(200);
    std::fs::write(&path, &content).unwrap();
    let url = format!("sqlite://{}", path.display());
    for refusal in [
        Store::open(&url).await.unwrap_err(),
        ServeLock::take(&url).await.unwrap_err(),
    ] {
        let refusal = refusal.to_string();
        for word in [&*path.to_string_lossy(), "not a database", "database_url"] {
            assert!(refusal.contains(word), "{refusal}");
        }
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[tokio::test]
async fn only_its_user_reads_the_database() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("sqlite://{}", folder.path().join("slipway.db").display());
    let store = Store::open(&url).await.unwrap();
    store.ping().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap())
        .collect();
    assert!(files.iter().any(|file| file.file_name() == "slipway.db"));
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
    }
}
