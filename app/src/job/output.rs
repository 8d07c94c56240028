//! The output of a job. Of a long one the page holds a window of lines: more are fetched as it is scrolled, and as many are
//! dropped at the other end, so that a million lines weigh no more than a thousand.

use domain::id::JobId;
use leptos::task::spawn_local;
use ui::prelude::*;
use ui::{ButtonTone, EmptyState, LogRow, LogView, figure};
use view::job::{LogLine, LogPage};

use crate::{
    job::{api::log, browser},
    live::use_events,
    wire,
};

/// Lines of a page as the server draws it, and of a jump.
pub const LINES: u32 = 1_000;
/// Lines that are kept in the page.
const WINDOW: usize = 1_500;
/// Lines fetched when the end of the window comes near.
const STEP: u32 = 500;
/// Lines shown above one that is jumped to.
const ABOVE: u64 = 50;
/// How near, in pixels, the end of the window may come before more is fetched.
const NEAR: f64 = 1_200.0;
/// Where it is kept that long lines are not wrapped.
const UNWRAPPED: &str = "slipway-log-unwrapped";

#[derive(Clone, Copy)]
struct Viewer {
    id: JobId,
    lines: RwSignal<Vec<LogLine>>,
    /// Lines there are.
    total: RwSignal<u64>,
    /// More lines may come.
    live: RwSignal<bool>,
    /// The newest line stays in sight.
    following: RwSignal<bool>,
    /// The line that the address names.
    here: RwSignal<Option<u64>>,
    /// Why lines could not be fetched.
    wrong: RwSignal<Option<String>>,
    fetching: StoredValue<bool>,
    /// How often lines were asked for.
    asked: StoredValue<u64>,
    /// Lines that came and are not drawn yet: they are, once for each frame.
    came: StoredValue<Vec<LogLine>>,
    /// How far the page was scrolled, by whomever, when it was last looked at.
    scrolled: StoredValue<f64>,
}

/// Lines from a range on; new ones come by themselves while the job is `live`. `moved` is called with the first line, and
/// with `true` at the end.
#[component]
pub fn Output(id: JobId, page: LogPage, live: bool, moved: Callback<bool>) -> impl IntoView {
    let viewer = Viewer {
        id,
        lines: RwSignal::new(page.lines),
        total: RwSignal::new(page.total.max(page.next - 1)),
        live: RwSignal::new(live),
        following: RwSignal::new(false),
        here: RwSignal::new(None),
        wrong: RwSignal::new(None),
        fetching: StoredValue::new(false),
        asked: StoredValue::new(0),
        came: StoredValue::new(Vec::new()),
        scrolled: StoredValue::new(0.0),
    };
    if live {
        // The stream gives every line once and in order, and goes on behind the last one when it is opened again.
        let path = move || {
            let seen = viewer.total.get_untracked() + viewer.came.with_value(Vec::len) as u64;
            format!("/stream/jobs/{id}/log?from={}", seen + 1)
        };
        use_events(path, &["line", "end"], move |name, data| {
            match (name, wire::read::<LogLine>(&data)) {
                ("line", Ok(line)) => {
                    viewer.hear(line);
                    moved.run(false);
                }
                ("end", _) => {
                    viewer.live.set(false);
                    moved.run(true);
                }
                _ => moved.run(true),
            }
        });
    }
    let unwrapped = RwSignal::new(false);
    // Only a browser runs this, so what needs one is not offered before.
    let awake = RwSignal::new(false);
    Effect::new(move |_| {
        awake.set(true);
        unwrapped.set(browser::kept(UNWRAPPED).is_some());
        viewer.scrolled.set_value(browser::scrolled());
        viewer.go_to_address();
        browser::on_scroll(move || viewer.look());
        browser::on_address(move || viewer.go_to_address());
    });
    let wrap = move |_| {
        unwrapped.update(|unwrapped| *unwrapped = !*unwrapped);
        browser::keep(UNWRAPPED, unwrapped.get_untracked().then_some("1"));
    };
    let empty = Memo::new(move |_| viewer.lines.with(Vec::is_empty));
    let first = Memo::new(move |_| viewer.first());
    let last = Memo::new(move |_| viewer.last());
    let earlier = move || {
        let from = first.get().saturating_sub(u64::from(LINES)).max(1);
        (first.get() > 1).then(|| view! { <p class="section-more"><a href=format!("/jobs/{id}?from={from}")>"Earlier lines"</a></p> })
    };
    let later = move || {
        (last.get() < viewer.total.get()).then(|| view! { <p class="section-more"><a href=format!("/jobs/{id}?from={}", last.get() + 1)>"Later lines"</a></p> })
    };
    let here: Signal<Option<u64>> = viewer.here.into();
    view! {
        {earlier}
        {move || empty.get().then(|| match viewer.live.get() {
            true => view! { <EmptyState title="No output yet">"Lines appear here as the playbook prints them."</EmptyState> },
            false => view! { <EmptyState title="There is no output">"This job printed nothing, or what it printed is no longer in the data folder."</EmptyState> },
        })}
        <LogView unwrapped>
            <For each=move || viewer.lines.get() key=|line: &LogLine| line.number let:line>
                <LogRow line here />
            </For>
        </LogView>
        {later}
        {move || (awake.get() && !empty.get()).then(|| foot(viewer, unwrapped.into(), Callback::new(wrap)))}
    }
}

/// Where one is in the output, and the ways to somewhere else; always in sight.
fn foot(viewer: Viewer, unwrapped: Signal<bool>, wrap: Callback<()>) -> AnyView {
    let number = |n: u64| figure::number(n as f64);
    let place = move || {
        format!(
            "Lines {}–{} of {}",
            number(
                viewer
                    .lines
                    .with(|lines| lines.first().map_or(1, |line| line.number))
            ),
            number(viewer.last()),
            number(viewer.total.get())
        )
    };
    // A short one is seen whole without further ways.
    let long = move || viewer.total.get() > 100;
    let new = move || viewer.total.get().saturating_sub(viewer.last());
    let follow = move || {
        let label = match new() {
            _ if viewer.following.get() => "Following".to_owned(),
            0 => "Follow".to_owned(),
            1 => "1 new line".to_owned(),
            new => format!("{} new lines", number(new)),
        };
        let pressed = move || viewer.following.get().to_string();
        view! { <button type="button" class=ButtonTone::Plain.class() aria-pressed=pressed on:click=move |_| viewer.follow()>{label}</button> }
    };
    let wrong = move || {
        viewer
            .wrong
            .get()
            .map(|why| view! { <span class="log-wrong" role="alert">{why}</span> })
    };
    view! {
        <div class="log-foot" role="group" aria-label="Place in the output">
            <span class="log-place">{place}</span>
            {wrong}
            <button type="button" class=ButtonTone::Plain.class() aria-pressed=move || (!unwrapped.get()).to_string() on:click=move |_| wrap.run(())>"Wrap lines"</button>
            {move || long().then(|| view! { <button type="button" class=ButtonTone::Plain.class() on:click=move |_| viewer.go(1)>"Start"</button> })}
            {move || if viewer.live.get() { follow().into_any() } else { long().then(|| view! { <button type="button" class=ButtonTone::Plain.class() on:click=move |_| viewer.to_end()>"End"</button> }).into_any() }}
        </div>
    }
}

impl Viewer {
    fn first(self) -> u64 {
        self.lines
            .with(|lines| lines.first().map_or(1, |line| line.number))
    }

    /// The last line in the page; 0 when there is none.
    fn last(self) -> u64 {
        self.lines
            .with(|lines| lines.last().map_or(0, |line| line.number))
    }

    /// Fetches lines, one range at a time; a wish that comes meanwhile is dropped, for who still has it asks again.
    fn fetch(self, from: u64, limit: u32, then: impl FnOnce(Vec<LogLine>) + 'static) {
        if !self.fetching.get_value() {
            self.jump(from, limit, then);
        }
    }

    /// Fetches lines whatever is being fetched, of which nothing is wanted any more.
    fn jump(self, from: u64, limit: u32, then: impl FnOnce(Vec<LogLine>) + 'static) {
        let mine = self.asked.get_value() + 1;
        self.asked.set_value(mine);
        self.fetching.set_value(true);
        spawn_local(async move {
            let answer = log(self.id, from, limit).await;
            // Somebody may have asked for something else, or left the page, meanwhile.
            if self.asked.try_get_value() != Some(mine) {
                return;
            }
            self.fetching.set_value(false);
            match answer {
                Ok(page) => {
                    self.wrong.set(None);
                    self.total.update(|total| *total = (*total).max(page.total));
                    then(page.lines);
                }
                Err(why) => self.wrong.set(Some(why.to_string())),
            }
        });
    }

    /// What to do now that the page stands where it stands.
    fn look(self) {
        let (before, now) = (self.scrolled.get_value(), browser::scrolled());
        self.scrolled.set_value(now);
        let Some((above, below)) = browser::beyond() else {
            return;
        };
        let at_end = untrack(|| self.last()) >= self.total.get_untracked();
        if now < before - 1.0 {
            self.following.set(false);
        } else if now > before && at_end && below < 40.0 && self.live.get_untracked() {
            self.following.set(true);
        }
        if below < NEAR && !at_end {
            self.later();
        } else if above < NEAR {
            self.earlier();
        }
    }

    fn later(self) {
        let last = untrack(|| self.last());
        self.fetch(last + 1, STEP, move |lines| self.append(lines));
    }

    fn earlier(self) {
        let first = untrack(|| self.first());
        if first == 1 {
            return;
        }
        let from = first.saturating_sub(u64::from(STEP)).max(1);
        let limit = u32::try_from(first - from).unwrap_or(STEP);
        self.fetch(from, limit, move |mut earlier| {
            // Very long lines come in fewer pieces than were asked for.
            if earlier.last().is_none_or(|line| line.number + 1 < first) {
                return self.lines.set(earlier);
            }
            self.keeping(first, || {
                self.lines.update(|lines| {
                    earlier.append(lines);
                    earlier.truncate(WINDOW);
                    *lines = earlier;
                });
            });
        });
    }

    /// Adds the lines that come next, and drops as many as are too many from the start.
    fn append(self, new: Vec<LogLine>) {
        let last = untrack(|| self.last());
        let add = || {
            self.lines.update(|lines| {
                lines.extend(new.into_iter().filter(|line| line.number > last));
                let excess = lines.len().saturating_sub(WINDOW);
                lines.drain(..excess);
            });
        };
        if self.following.get_untracked() {
            add();
            self.stick();
        } else {
            self.keeping(last, add);
        }
    }

    /// Changes the lines so that line `anchor` stays where it is seen.
    fn keeping(self, anchor: u64, change: impl FnOnce()) {
        let before = browser::top_of(anchor);
        change();
        browser::before_it_is_drawn(move || {
            if let (Some(before), Some(after)) = (before, browser::top_of(anchor)) {
                browser::scroll_by(after - before);
                let _ = self.scrolled.try_set_value(browser::scrolled());
            }
        });
    }

    /// Scrolls to the newest line.
    fn stick(self) {
        browser::before_it_is_drawn(move || {
            if let Some((_, below)) = browser::beyond() {
                browser::scroll_by(below);
                let _ = self.scrolled.try_set_value(browser::scrolled());
            }
        });
    }

    /// A line came. Those of one frame are drawn together.
    fn hear(self, line: LogLine) {
        let waiting = self.came.with_value(|came| !came.is_empty());
        self.came.update_value(|came| came.push(line));
        if !waiting {
            browser::before_it_is_drawn(move || {
                if let Some(came) = self.came.try_update_value(std::mem::take) {
                    self.take(came);
                }
            });
        }
    }

    fn take(self, mut came: Vec<LogLine>) {
        let Some(newest) = came.last().map(|line| line.number) else {
            return;
        };
        self.total.update(|total| *total = (*total).max(newest));
        let (last, held) = (untrack(|| self.last()), self.lines.with_untracked(Vec::len));
        let next = came.first().is_none_or(|line| line.number <= last + 1);
        let following = self.following.get_untracked();
        if next && (following || held + came.len() <= WINDOW) {
            let excess = came.len().saturating_sub(WINDOW);
            if excess > 0 {
                self.lines.set(came.split_off(excess));
                self.stick();
            } else {
                self.append(came);
            }
        } else if following {
            self.to_end();
        }
    }

    fn follow(self) {
        if self.following.get_untracked() {
            self.following.set(false);
        } else {
            self.following.set(true);
            self.to_end();
        }
    }

    /// Shows the last lines.
    fn to_end(self) {
        let total = self.total.get_untracked();
        if untrack(|| self.last()) >= total {
            return self.stick();
        }
        let from = (total + 1).saturating_sub(u64::from(LINES)).max(1);
        self.jump(from, LINES + STEP, move |lines| {
            self.lines.set(lines);
            self.stick();
        });
    }

    fn go_to_address(self) {
        if let Some(line) = browser::line_in_address() {
            self.here.set(Some(line));
            self.go(line);
        }
    }

    /// Shows a line, wherever it is.
    fn go(self, line: u64) {
        self.following.set(false);
        let show = move || {
            browser::before_it_is_drawn(move || {
                browser::show(line);
                let _ = self.scrolled.try_set_value(browser::scrolled());
            });
        };
        if untrack(|| (self.first()..=self.last()).contains(&line)) {
            return show();
        }
        let from = line.saturating_sub(ABOVE).max(1);
        self.jump(from, LINES, move |lines| {
            if lines.is_empty() {
                self.wrong
                    .set(Some(format!("There is no line {line} yet.")));
            } else {
                self.lines.set(lines);
                show();
            }
        });
    }
}
