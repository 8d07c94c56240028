use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, routing::get};
use testkit::{Database, World};

use super::*;
use crate::testing::console;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_look_datadog_is_asked_once_an_interval() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.released("1.1.0").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, clock) = (Arc::clone(&asked), world.clock.clone());
    let datadog = Router::new().route(
        "/api/v1/query",
        get(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            // An answer takes its time.
            clock.advance_seconds(1);
            r#"{"status":"ok","series":[]}"#
        }),
    );
    let console = console(&world, datadog).await;
    let (omar, maria) = (
        console.ctx(world.omar.clone()),
        console.ctx(world.maria.clone()),
    );
    let (one, other) = tokio::join!(omar.charts(id), maria.charts(id));
    assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    world.clock.advance_seconds(19);
    maria.charts(id).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    world.clock.advance_seconds(1);
    maria.charts(id).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 8);
    let otto = console.ctx(world.otto.clone());
    assert!(otto.charts(id).await.is_err(), "another team sees none");
    assert!(otto.charts_grow(id).await.is_err());
    assert!(maria.charts_grow(id).await.unwrap());
}
