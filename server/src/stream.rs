//! Live pages: server-sent events that say that something changed, and lines of output as they are written.

use std::{convert::Infallible, time::Duration};

use app::live::{ALIVE, ALIVE_EVERY};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use control::{Clock as _, Console, Ctx, Growth, Signal};
use domain::id::{JobId, RolloutId, UserId};
use futures::{
    Stream, StreamExt as _,
    stream::{BoxStream, unfold},
};
use policy::Subject;
use serde::Deserialize;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Instant, sleep, timeout_at},
};
use tower_sessions::Session;
use view::{
    error::ApiError,
    job::{LogLine, LogPage},
};

use crate::{
    api::{Problem, bearer},
    auth::{
        by,
        session::{self, Sessions},
    },
    clock::SystemClock,
    export,
    site::Site,
};

/// Changes closer together than this are told once.
const CALM: Duration = Duration::from_millis(200);
/// Output is looked for this often when no signal comes and nothing tells that it has grown.
const LOOK: Duration = Duration::from_millis(500);
/// A stream ends after this long; the browser comes back at once, and may be refused by then.
const LONGEST: Duration = Duration::from_mins(5);
/// Whether whoever follows a stream still may is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LINES: u32 = 500;

pub fn routes(site: &Site) -> Router<Site> {
    let sessions = Sessions {
        console: site.console.clone(),
        seal: site.seal.clone(),
    };
    Router::new()
        .route("/stream/rollouts/{id}", get(rollout))
        .route("/stream/jobs/{id}/log", get(log))
        .route("/download/jobs/{id}/output", get(output))
        .route("/download/audit", get(export::audit))
        .route("/download/access", get(export::access))
        .layer(middleware::from_fn_with_state(site.clone(), identify))
        .layer(session::layer(sessions))
}

/// A session or a token: pages and the command line follow the same streams.
async fn identify(
    State(site): State<Site>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let unavailable = || {
        Problem(ApiError::Unavailable {
            message: "The database does not answer. Try again in a minute.".to_owned(),
        })
    };
    let credential = match bearer(request.headers()) {
        Some(token) => Credential::Token(token.to_owned()),
        None => match session::current(&session, SystemClock.now()).await {
            Ok(Some(user)) => Credential::Session {
                user,
                place: session::place(&session).unwrap_or_default(),
            },
            Ok(None) => return Problem(ApiError::Unauthenticated).into_response(),
            Err(_) => return unavailable().into_response(),
        },
    };
    let subject = match credential.subject(&site.console).await {
        Ok(Some(subject)) => subject,
        Ok(None) => return Problem(ApiError::Unauthenticated).into_response(),
        Err(why) => return Problem(why).into_response(),
    };
    let watched = Watched {
        console: site.console.clone(),
        credential,
        subject: subject.clone(),
    };
    let subject = subject.with_request(by(&request));
    request.extensions_mut().insert(site.console.ctx(subject));
    request.extensions_mut().insert(watched);
    next.run(request).await
}

/// What somebody follows a stream with.
#[derive(Debug, Clone)]
enum Credential {
    Session { user: UserId, place: String },
    Token(String),
}

impl Credential {
    /// Whom it stands for just now; nobody when it was taken away.
    async fn subject(&self, console: &Console) -> Result<Option<Subject>, ApiError> {
        match self {
            Self::Token(token) => console.subject_of_token(token).await,
            Self::Session { user, place } => match console.session_load(place).await? {
                Some(_) => console.subject(*user).await,
                None => Ok(None),
            },
        }
    }
}

/// Whoever follows a stream: it outlives the request that was allowed.
#[derive(Clone)]
struct Watched {
    console: Console,
    credential: Credential,
    subject: Subject,
}

impl Watched {
    /// Waits until they may no longer do what they might when the stream began. The browser comes back at once, and is then
    /// told what holds now.
    async fn changed(self) {
        loop {
            sleep(LOOK_AGAIN).await;
            // While the database is gone nothing is sent either.
            if let Ok(now) = self.credential.subject(&self.console).await
                && now.as_ref() != Some(&self.subject)
            {
                return;
            }
        }
    }
}

/// The whole output of a job, as it is stored.
async fn output(
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(Problem::unknown)?;
    let (name, pieces) = ctx.whole_output(id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn rollout(
    State(site): State<Site>,
    Extension(ctx): Extension<Ctx>,
    Extension(watched): Extension<Watched>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: RolloutId = id.parse().map_err(Problem::unknown)?;
    let signals = site.console.subscribe();
    ctx.charts_grow(id).await?;
    let beat = Duration::from_secs(site.console.interval_seconds());
    let changes = Changes {
        signals,
        signal: Signal::Rollout(id),
        measured: measured(ctx, id, beat).boxed(),
        stop: site.stop,
        until: Instant::now() + LONGEST,
        count: 0,
    };
    Ok(events(unfold(changes, Changes::next), watched))
}

/// Yields when the charts of a rollout have a new point.
fn measured(ctx: Ctx, id: RolloutId, beat: Duration) -> impl Stream<Item = ()> + Send {
    unfold(ctx, move |ctx| async move {
        loop {
            sleep(beat).await;
            // A database that is gone for a moment costs a point, and whoever may no longer look gets none.
            if ctx.charts_grow(id).await.unwrap_or(false) {
                return Some(((), ctx));
            }
        }
    })
}

/// Says `changed` when the rollout moved, and `measured` when its charts have a new point.
struct Changes {
    signals: broadcast::Receiver<Signal>,
    signal: Signal,
    measured: BoxStream<'static, ()>,
    stop: watch::Receiver<bool>,
    until: Instant,
    count: u64,
}

impl Changes {
    /// The first event comes at once: what the page shows may be older than the stream.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut name = "changed";
        if self.count > 0 {
            let until = self.until;
            name = tokio::select! {
                // Fails only when the sender is gone, which is the end as well.
                _ = self.stop.wait_for(|stop| *stop) => return None,
                heard = timeout_at(until, heard(&mut self.signals, self.signal)) => if heard.ok()? { "changed" } else { return None },
                Some(()) = self.measured.next() => "measured",
            };
        }
        if name == "changed" && self.count > 0 {
            sleep(CALM).await;
            self.signals = self.signals.resubscribe();
        }
        self.count += 1;
        let count = self.count.to_string();
        let event = Event::default().event(name).id(count.clone()).data(count);
        Some((Ok(event), self))
    }
}

/// Waits for a signal; false when no more will come. Having missed some counts as having heard it.
async fn heard(signals: &mut broadcast::Receiver<Signal>, wanted: Signal) -> bool {
    loop {
        match signals.recv().await {
            Ok(signal) if signal == wanted => return true,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

#[derive(Debug, Deserialize)]
struct From {
    from: Option<String>,
}

async fn log(
    State(site): State<Site>,
    Extension(ctx): Extension<Ctx>,
    Extension(watched): Extension<Watched>,
    Path(id): Path<String>,
    Query(query): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(Problem::unknown)?;
    let seen = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse::<u64>().ok());
    let next = match (seen, query.from) {
        (Some(seen), _) => seen.saturating_add(1),
        (None, Some(from)) => from.parse().map_err(|_| ApiError::Invalid {
            field: "from".to_owned(),
            message: "from must be the number of a line.".to_owned(),
        })?,
        (None, None) => 1,
    };
    let signals = site.console.subscribe();
    let (page, growth) = ctx.follow_log(id, next, LINES).await?;
    if seen.is_some() && page.ended && page.lines.is_empty() {
        // Tells a browser that comes back after the end to stop coming back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut lines = Lines {
        ctx,
        id,
        signals,
        stop: site.stop,
        until: Instant::now() + LONGEST,
        growth,
        next,
        ready: Vec::new().into_iter(),
        full: false,
        ended: false,
        done: false,
    };
    lines.take(page);
    Ok(events(unfold(lines, Lines::next), watched))
}

struct Lines {
    ctx: Ctx,
    id: JobId,
    signals: broadcast::Receiver<Signal>,
    stop: watch::Receiver<bool>,
    until: Instant,
    growth: Growth,
    /// Number of the line to read next.
    next: u64,
    /// Read, but not sent yet.
    ready: std::vec::IntoIter<LogLine>,
    /// There are more lines already.
    full: bool,
    ended: bool,
    done: bool,
}

impl Lines {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(line) = self.ready.next() {
                let event = Event::default().event("line").id(line.number.to_string());
                let event = event
                    .json_data(&line)
                    .unwrap_or_else(|_| Event::default().comment("a line was lost"));
                return Some((Ok(event), self));
            }
            if self.done || *self.stop.borrow() || Instant::now() >= self.until {
                return None;
            }
            if self.ended {
                self.done = true;
                let last = self.next.saturating_sub(1).to_string();
                return Some((
                    Ok(Event::default().event("end").id(last.clone()).data(last)),
                    self,
                ));
            }
            if !self.full {
                let look = Instant::now() + LOOK;
                tokio::select! {
                    _ = self.stop.wait_for(|stop| *stop) => return None,
                    _ = timeout_at(look, heard(&mut self.signals, Signal::Job(self.id))) => {}
                    () = self.growth.more() => {}
                }
            }
            // The database may be gone for a moment; the browser comes back.
            let (page, growth) = self.ctx.follow_log(self.id, self.next, LINES).await.ok()?;
            self.growth = growth;
            self.take(page);
        }
    }

    fn take(&mut self, page: LogPage) {
        self.next = page.next;
        self.ended = page.ended;
        self.full = page.lines.len() >= LINES as usize;
        self.ready = page.lines.into_iter();
    }
}

fn events(
    stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
    watched: Watched,
) -> Response {
    let mut response = Sse::new(stream.take_until(Box::pin(watched.changed())))
        .keep_alive(
            KeepAlive::new()
                .interval(ALIVE_EVERY)
                // Not a comment, which a page could not hear; and a browser passes over an event without data.
                .event(Event::default().event(ALIVE).data("1")),
        )
        .into_response();
    // Reverse proxies would hold events back.
    response
        .headers_mut()
        .insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use futures::stream::{iter, pending};

    use super::*;

    fn rollout(number: u128) -> Signal {
        Signal::Rollout(RolloutId(uuid::Uuid::from_u128(number)))
    }

    fn changes(sender: &broadcast::Sender<Signal>, stop: watch::Receiver<bool>) -> Changes {
        Changes {
            signals: sender.subscribe(),
            signal: rollout(1),
            measured: pending().boxed(),
            stop,
            until: Instant::now() + LONGEST,
            count: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_event_comes_at_once_and_many_changes_are_told_once() {
        let (sender, (_stop, stopped)) = (broadcast::channel(2).0, watch::channel(false));
        let (_, changes) = changes(&sender, stopped).next().await.unwrap();
        // More than the channel holds: having missed some counts as a change.
        for number in [2, 1, 1, 1] {
            sender.send(rollout(number)).unwrap();
        }
        let (_, changes) = changes.next().await.unwrap();
        assert_eq!(changes.count, 2);
        assert!(changes.signals.is_empty(), "the others were told with it");

        sender.send(rollout(2)).unwrap();
        let quiet = tokio::time::timeout(Duration::from_secs(60), changes.next()).await;
        assert!(quiet.is_err(), "another rollout is no change of this one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_point_is_told_at_once_and_takes_no_change_away() {
        let (sender, (_stop, stopped)) = (broadcast::channel(2).0, watch::channel(false));
        let (_, mut open) = changes(&sender, stopped).next().await.unwrap();
        open.measured = iter([()]).boxed();
        let asked = Instant::now();
        let (_, open) = open.next().await.unwrap();
        assert_eq!(asked.elapsed(), Duration::ZERO);
        sender.send(rollout(1)).unwrap();
        let (_, open) = open.next().await.unwrap();
        assert_eq!((open.count, asked.elapsed()), (3, CALM));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_server_and_after_its_time() {
        let (sender, (stop, stopped)) = (broadcast::channel::<Signal>(2).0, watch::channel(false));
        let (_, long) = changes(&sender, stopped.clone()).next().await.unwrap();
        assert!(
            long.next().await.is_none(),
            "the paused clock runs to the end of the stream's time"
        );

        let (_, open) = changes(&sender, stopped).next().await.unwrap();
        stop.send(true).unwrap();
        assert!(open.next().await.is_none());
    }
}
