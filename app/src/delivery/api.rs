//! Server functions of the delivery page.

use leptos::prelude::*;
use view::delivery::DeliveryView;

#[cfg(feature = "ssr")]
use crate::context::{answer, ctx};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "delivery/show", output = Wire)]
pub async fn delivery(days: u32) -> Result<DeliveryView, PageError> {
    answer(ctx()?.delivery(days).await)
}
