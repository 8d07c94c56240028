use axum::Router;
use testkit::{Database, World};
use view::error::ApiError;

use crate::testing::console;

#[tokio::test]
async fn hosts_of_another_teams_rollout_are_not_found() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.request("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let (maria, otto) = (
        console.ctx(world.maria.clone()),
        console.ctx(world.otto.clone()),
    );
    assert_eq!(
        maria.host_cells(id, None, None).await.unwrap().items.len(),
        3
    );
    assert_eq!(maria.host_cells(id, Some(9), None).await.unwrap().items, []);
    for batch in [None, Some(1), Some(9)] {
        let refused = otto.host_cells(id, batch, None).await.unwrap_err();
        assert!(matches!(refused, ApiError::NotFound { .. }), "{refused:?}");
    }
}
