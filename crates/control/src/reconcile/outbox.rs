//! Hands messages over, at least once.

use domain::{SignedDuration, rollout::NoticeKind};
use integrations::datadog;
use policy::{Kind, Resource, SystemAction};
use store::OutboxMessage;

use crate::{Console, Error};

const LIMIT: u32 = 20;
/// Datadog refuses events that happened longer ago than this (`date_happened` of `POST /api/v1/events`: "limited to
/// events no older than 18 hours").
const TOO_OLD: SignedDuration = SignedDuration::from_hours(18);

/// Sends what is due. Without Datadog there is nobody to tell, and messages count as delivered.
pub(super) async fn round(console: &Console) {
    let due = match console.store().outbox_due(console.now(), LIMIT).await {
        Ok(due) => due,
        Err(error) => return tracing::warn!(%error, "the outbox could not be read"),
    };
    for message in due {
        if let Err(error) = deliver(console, &message).await {
            tracing::warn!(message = %message.id, %error, "a message could not be handed over; it is tried again");
        }
    }
}

async fn deliver(console: &Console, message: &OutboxMessage) -> Result<(), Error> {
    let permit = console.system(
        SystemAction::DELIVER,
        Resource::new(Kind::Rollout, message.rollout, &message.notice.title).of_team(message.team),
    );
    let now = console.now();
    let Some(client) = &console.inner.datadog else {
        return Ok(console
            .store()
            .outbox_done(&permit, message.id, now)
            .await?);
    };
    if now.duration_since(message.created_at) >= TOO_OLD {
        let why = if message.error.is_empty() {
            "Datadog takes no event older than 18 hours, and this one could not be sent before."
                .to_owned()
        } else {
            format!(
                "Datadog takes no event older than 18 hours; the last try before said: {}",
                message.error
            )
        };
        tracing::error!(message = %message.id, rollout = %message.rollout, %why, "a message was given up");
        return Ok(console
            .store()
            .outbox_give_up(&permit, message.id, &why, now)
            .await?);
    }
    match client.post_event(&event(message), message.created_at).await {
        Ok(()) => {
            console
                .store()
                .outbox_done(&permit, message.id, now)
                .await?
        }
        Err(error) => {
            // Twice as long each time, at most an hour.
            let wait = SignedDuration::from_secs(
                2_i64
                    .saturating_pow(u32::try_from(message.tries.clamp(1, 12)).unwrap_or(12))
                    .min(3600),
            );
            let next = now.checked_add(wait).unwrap_or(now);
            console
                .store()
                .outbox_retry(&permit, message.id, next, &error.to_string())
                .await?;
        }
    }
    Ok(())
}

fn event(message: &OutboxMessage) -> datadog::Event {
    let alert = match message.notice.kind {
        NoticeKind::Info => datadog::AlertType::Info,
        NoticeKind::Success => datadog::AlertType::Success,
        NoticeKind::Warning => datadog::AlertType::Warning,
        NoticeKind::Error => datadog::AlertType::Error,
    };
    datadog::Event {
        title: message.notice.title.clone(),
        text: message.notice.text.clone(),
        alert_type: alert,
        // One stream of events a rollout, so that they fold together in Datadog.
        aggregation_key: format!("slipway-{}", message.rollout),
        tags: vec![
            "source:slipway".to_owned(),
            format!("service:{}", message.service),
            format!("env:{}", message.environment),
            format!("version:{}", message.version),
        ],
    }
}
