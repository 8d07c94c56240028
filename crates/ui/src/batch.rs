//! Batches as a timeline of deploy, bake and gate, and the countdown of a bake.

use crate::prelude::*;
use domain::{Timestamp, host::HostPhase, strategy::spell_seconds, verdict::Outcome};
use view::rollout::{BakeView, BatchView};

use crate::{badge::StateBadge, figure, host, icon::Icon, state::Look, text::TimeText, tone::Tone};

/// How a batch stands with one of its three steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Ahead,
    Now,
    Done,
    /// A person has to decide.
    Decide,
    /// It stopped here, and a person has to act.
    Stuck,
    /// It was judged, and not well.
    Bad,
    /// Taking it back did not work.
    Failed,
    /// Was taken back.
    Reversed,
    Skipped,
}

impl Step {
    const fn look(self) -> (Tone, Option<Icon>, &'static str) {
        match self {
            Self::Ahead => (Tone::Neutral, None, "not yet"),
            Self::Now => (Tone::Active, Some(Icon::Turning), "now"),
            Self::Done => (Tone::Good, Some(Icon::Check), "done"),
            Self::Decide => (Tone::Waiting, Some(Icon::Gate), "waits for a decision"),
            Self::Bad => (Tone::Bad, Some(Icon::Octagon), "did not pass"),
            Self::Failed => (Tone::Bad, Some(Icon::Octagon), "could not be taken back"),
            Self::Stuck => (Tone::Warn, Some(Icon::Held), "waits for a person"),
            Self::Reversed => (Tone::Warn, Some(Icon::Undo), "taken back"),
            Self::Skipped => (Tone::Neutral, Some(Icon::Minus), "not reached"),
        }
    }
}

impl Step {
    /// The step of a rollout that has ended, which waits for nobody any more.
    const fn over(self) -> Self {
        match self {
            Self::Stuck => Self::Bad,
            Self::Decide => Self::Skipped,
            other => other,
        }
    }
}

/// How a batch stands with deploy, bake and gate.
pub fn steps(batch: &BatchView) -> [Step; 3] {
    use Step::{Ahead, Bad, Decide, Done, Failed, Now, Reversed, Skipped, Stuck};
    // Hosts were verified before the bake began, so what stopped later stopped during the bake or at the gate.
    let baked = batch.verified_at.is_some();
    match batch.state.as_str() {
        "deploying" | "backing_off" | "validating" | "probing" => [Now, Ahead, Ahead],
        "baking" => [Done, Now, Ahead],
        "gate" => [Done, Done, Decide],
        "promoted" => [Done, Done, Done],
        "held" if baked => [Done, Done, Stuck],
        "held" => [Stuck, Ahead, Ahead],
        back @ ("rolling_back" | "rolled_back" | "rollback_failed") => {
            let deploy = if back == "rollback_failed" {
                Failed
            } else {
                Reversed
            };
            match batch.verdict.as_ref().map(|verdict| verdict.outcome) {
                Some(Outcome::Pass) if baked => [deploy, Done, Reversed],
                Some(_) if baked => [deploy, Bad, Skipped],
                _ => [deploy, Skipped, Skipped],
            }
        }
        _ => [Ahead, Ahead, Ahead],
    }
}

/// The batch people look at: the first that is neither promoted nor untouched, or the first untouched one.
pub fn current(batches: &[BatchView]) -> Option<u32> {
    let at_work = batches
        .iter()
        .find(|batch| !matches!(batch.state.as_str(), "promoted" | "pending" | "rolled_back"));
    at_work
        .or_else(|| batches.iter().find(|batch| batch.state == "pending"))
        .map(|batch| batch.number)
}

/// All batches side by side; below one another on a narrow screen. The current one stands out.
#[component]
pub fn BatchTimeline(
    batches: Vec<BatchView>,
    /// The clock countdowns go by; see [`crate::clock::ticking`].
    #[prop(into)]
    now: Signal<Timestamp>,
    /// Highlights the current batch; not where the rollout has ended or not begun.
    #[prop(default = true)]
    live: bool,
) -> impl IntoView {
    let here = if live { current(&batches) } else { None };
    let items = batches
        .into_iter()
        .map(|batch| entry(here == Some(batch.number), live, batch, now))
        .collect_view();
    view! { <ol class="timeline-batches">{items}</ol> }
}

fn entry(here: bool, live: bool, batch: BatchView, now: Signal<Timestamp>) -> impl IntoView {
    let look = Look::batch(&batch.state);
    let [deploy, bake, gate] = steps(&batch).map(|step| if live { step } else { step.over() });
    let gate_note = batch
        .gate_expires
        .map(|at| view! { "decide by " <TimeText at /> }.into_any());
    let retry = batch.retry_at.map(
        |at| view! { <p class="tb-message">"Tried again at " <TimeText at seconds=true /></p> },
    );
    let planned = spell_seconds(batch.bake_seconds);
    let tone = look.tone.class();
    view! {
        <li class=if here { format!("tb {tone} is-here") } else { format!("tb {tone}") } id=format!("batch-{}", batch.number) aria-current=here.then_some("step")>
            <p class="tb-head">
                <a class="tb-name" href=format!("#batch-{}", batch.number)>{format!("Batch {}", batch.number)}</a>
                <span class="muted">{figure::count(batch.host_count, "host")}</span>
                <StateBadge look />
            </p>
            <ol class="tb-steps">
                {step("Deploy", deploy, Some(reached(&batch).into_any()))}
                {step("Bake", bake, Some(planned.into_any()))}
                {step("Gate", gate, gate_note)}
            </ol>
            {batch.bake.filter(|_| batch.state == "baking").map(|bake| view! { <BakeCountdown bake now /> })}
            {(!batch.message.is_empty()).then(|| view! { <p class="tb-message">{batch.message}</p> })}
            {retry}
        </li>
    }
}

fn step(name: &'static str, step: Step, note: Option<AnyView>) -> impl IntoView {
    let (tone, icon, meaning) = step.look();
    view! {
        <li class=format!("tb-step {}", tone.class())>
            <span class="tb-step-name">{icon.map(Icon::draw)} {name} <span class="sr-only">{format!(", {meaning}")}</span></span>
            <span class="tb-step-note">{note}</span>
        </li>
    }
}

/// “2 of 3 updated, 1 failed”: what hosts say, trouble last.
fn reached(batch: &BatchView) -> String {
    let count = |pick: fn(HostPhase) -> bool| {
        batch
            .counts
            .iter()
            .filter(|(phase, _)| pick(*phase))
            .map(|(_, n)| n)
            .sum::<u32>()
    };
    let back = count(|phase| phase == HostPhase::RolledBack);
    let mut text = if back > 0 {
        format!("{back} of {} back", batch.host_count)
    } else {
        format!("{} of {}", count(HostPhase::current), batch.host_count)
    };
    for (phase, n) in batch
        .counts
        .iter()
        .filter(|(phase, _)| host::remarkable(*phase))
    {
        text.push_str(&format!(
            ", {n} {}",
            Look::host(*phase).label.to_ascii_lowercase()
        ));
    }
    text
}

/// When a bake ends and how long that is from `now`; says so when its clock stands.
#[component]
pub fn BakeCountdown(
    bake: BakeView,
    /// The server's clock, which may tick; see [`crate::clock::ticking`].
    #[prop(into)]
    now: Signal<Timestamp>,
) -> impl IntoView {
    let BakeView {
        since,
        until,
        left_ms,
    } = bake;
    match until {
        Some(until) => {
            let whole = millis(since, until).max(1);
            let left = move || millis(now.get(), until).max(0);
            view! {
                <div class="bake">
                    <progress class="bake-bar" max=whole.to_string() value=move || (whole - left()).clamp(0, whole).to_string() aria-label="Bake time passed"></progress>
                    <p class="bake-text">
                        <strong class="bake-left">{move || if left() == 0 { "over".to_owned() } else { format!("{} left", figure::length(left())) }}</strong>
                        " until "
                        <TimeText at=until seconds=true />
                    </p>
                </div>
            }
            .into_any()
        }
        None => view! {
            <p class="bake bake-text">
                {Icon::Pause.draw()}
                <strong class="bake-left">{format!("Clock stopped, {} left", figure::length(left_ms.unwrap_or(0)))}</strong>
            </p>
        }
        .into_any(),
    }
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}

#[cfg(test)]
mod tests {
    use view::rollout::BatchActions;

    use super::*;

    fn batch(number: u32, state: &str, verified: bool) -> BatchView {
        BatchView {
            number,
            host_count: 3,
            state: state.to_owned(),
            message: String::new(),
            bake_seconds: 60,
            bake: None,
            retry_at: None,
            gate_expires: None,
            started_at: None,
            verified_at: verified.then_some(Timestamp::UNIX_EPOCH),
            ended_at: None,
            counts: vec![
                (HostPhase::Updated, 1),
                (HostPhase::AlreadyCurrent, 1),
                (HostPhase::Failed, 1),
            ],
            verdict: None,
            actions: BatchActions::NONE,
        }
    }

    #[test]
    fn a_held_batch_is_stuck_where_it_stopped() {
        assert_eq!(
            steps(&batch(1, "held", false)),
            [Step::Stuck, Step::Ahead, Step::Ahead]
        );
        assert_eq!(
            steps(&batch(1, "held", true)),
            [Step::Done, Step::Done, Step::Stuck]
        );
    }

    #[test]
    fn a_batch_that_was_taken_back_shows_how_far_it_had_come() {
        let back = |outcome: Option<Outcome>| {
            let mut batch = batch(1, "rolled_back", outcome.is_some());
            batch.verdict = outcome.map(|outcome| domain::verdict::Verdict {
                outcome,
                ..crate::gallery::sample::passing()
            });
            steps(&batch)
        };
        assert_eq!(back(None), [Step::Reversed, Step::Skipped, Step::Skipped]);
        assert_eq!(
            back(Some(Outcome::Fail)),
            [Step::Reversed, Step::Bad, Step::Skipped]
        );
        assert_eq!(
            back(Some(Outcome::Pass)),
            [Step::Reversed, Step::Done, Step::Reversed]
        );
    }

    #[test]
    fn every_word_but_pending_has_steps_of_its_own() {
        for look in crate::state::Noun::Batch.looks() {
            let untouched = steps(&batch(1, look.word, false)) == [Step::Ahead; 3];
            assert_eq!(untouched, look.word == "pending", "{}", look.word);
        }
    }

    #[test]
    fn the_current_batch_is_the_one_at_work() {
        let now = |words: [&str; 3]| {
            current(
                &words
                    .iter()
                    .zip(1..)
                    .map(|(word, number)| batch(number, word, true))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(now(["promoted", "baking", "pending"]), Some(2));
        assert_eq!(now(["promoted", "pending", "pending"]), Some(2));
        assert_eq!(now(["pending", "pending", "pending"]), Some(1));
        assert_eq!(now(["promoted", "promoted", "promoted"]), None);
    }

    #[test]
    fn hosts_in_trouble_are_counted_apart() {
        assert_eq!(reached(&batch(1, "held", false)), "2 of 3, 1 failed");
    }
}
