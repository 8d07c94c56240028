//! Hosts of a rollout as a grid: one cell each, its shape and tone by phase.

use crate::prelude::*;
use domain::host::HostPhase;
use view::rollout::HostCell;

use crate::{badge::StateBadge, figure, state::Look};

/// Above this many hosts a cell is only a shape; its name is in the title.
const NAMED: usize = 48;

/// Cells grouped by batch, with a legend that counts, and the troubled hosts spelt out below.
#[component]
pub fn HostGrid(
    hosts: Vec<HostCell>,
    /// Hosts by phase, where `hosts` is only a part of them; counted from `hosts` when empty.
    #[prop(optional)]
    counts: Vec<(HostPhase, u32)>,
) -> impl IntoView {
    let counts = if counts.is_empty() {
        count(&hosts)
    } else {
        counts
    };
    let legend = counts
        .into_iter()
        .map(|(phase, n)| {
            let look = Look::host(phase);
            view! {
                <li class=look.tone.class() title=look.hint>
                    {look.icon.draw()} <span>{look.label}</span> <strong>{figure::number(f64::from(n))}</strong>
                </li>
            }
        })
        .collect_view();
    let troubled = hosts
        .iter()
        .filter(|host| remarkable(host.phase))
        .map(trouble)
        .collect_view();
    let named = hosts.len() <= NAMED;
    // They come in the order of their batches.
    let mut batches: Vec<(u32, Vec<HostCell>)> = Vec::new();
    for host in hosts {
        match batches.last_mut() {
            Some((batch, hosts)) if *batch == host.batch => hosts.push(host),
            _ => batches.push((host.batch, vec![host])),
        }
    }
    let groups = batches
        .into_iter()
        .map(|(batch, hosts)| {
            let label = format!("Batch {batch}");
            view! {
                <div class="hosts-batch">
                    <p class="hosts-batch-name">{label.clone()}</p>
                    <ul class=if named { "hosts is-named" } else { "hosts" } aria-label=format!("Hosts of batch {batch}")>
                        {hosts.into_iter().map(|host| cell(host, named)).collect_view()}
                    </ul>
                </div>
            }
        })
        .collect_view();
    view! {
        <div class="host-grid">
            <ul class="hosts-legend" aria-label="Hosts by phase">{legend}</ul>
            {groups}
            <ul class="hosts-trouble">{troubled}</ul>
        </div>
    }
}

fn cell(host: HostCell, named: bool) -> impl IntoView {
    let look = Look::host(host.phase);
    let version = versions(&host);
    let title = [host.name.as_str(), look.label, &version, &host.message]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" · ");
    let class = format!("host {}", look.tone.class());
    if named {
        view! {
            <li class=class title=title>
                {look.icon.draw()}
                <span class="host-name">{host.name}</span>
                <span class="host-version">{version}</span>
                <span class="sr-only">{look.label}</span>
            </li>
        }
        .into_any()
    } else {
        view! {
            <li class=class title=title>
                {look.icon.draw()}
                <span class="sr-only">{title.clone()}</span>
            </li>
        }
        .into_any()
    }
}

fn trouble(host: &HostCell) -> impl IntoView + use<> {
    let message = if host.message.is_empty() {
        Look::host(host.phase).hint.to_owned()
    } else {
        host.message.clone()
    };
    view! {
        <li>
            <strong class="host-name">{host.name.clone()}</strong>
            <StateBadge look=Look::host(host.phase) />
            <span>{message}</span>
        </li>
    }
}

/// “1.4.1 → 1.4.2”, “1.4.2”, or nothing where nobody has asked the host.
fn versions(host: &HostCell) -> String {
    match (&host.version_before, &host.version_observed) {
        (Some(before), Some(now)) if before != now => format!("{before} → {now}"),
        (_, Some(version)) | (Some(version), None) => version.clone(),
        (None, None) => String::new(),
    }
}

/// What there is to say of the host is said beside it.
pub(crate) const fn remarkable(phase: HostPhase) -> bool {
    phase.troubled() || matches!(phase, HostPhase::Excluded)
}

fn count(hosts: &[HostCell]) -> Vec<(HostPhase, u32)> {
    HostPhase::ALL
        .iter()
        .map(|&phase| {
            (
                phase,
                u32::try_from(hosts.iter().filter(|host| host.phase == phase).count())
                    .unwrap_or(u32::MAX),
            )
        })
        .filter(|(_, n)| *n > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(phase: HostPhase, before: Option<&str>, now: Option<&str>) -> HostCell {
        HostCell {
            name: "web-1".to_owned(),
            batch: 1,
            phase,
            version_before: before.map(str::to_owned),
            version_observed: now.map(str::to_owned),
            message: String::new(),
        }
    }

    #[test]
    fn only_phases_that_occur_are_counted() {
        let hosts = [
            host(HostPhase::Updated, None, None),
            host(HostPhase::Failed, None, None),
            host(HostPhase::Updated, None, None),
        ];
        assert_eq!(
            count(&hosts),
            [(HostPhase::Updated, 2), (HostPhase::Failed, 1)]
        );
    }

    #[test]
    fn versions_say_what_changed() {
        assert_eq!(
            versions(&host(HostPhase::Updated, Some("1.4.1"), Some("1.4.2"))),
            "1.4.1 → 1.4.2"
        );
        assert_eq!(
            versions(&host(
                HostPhase::AlreadyCurrent,
                Some("1.4.2"),
                Some("1.4.2")
            )),
            "1.4.2"
        );
        assert_eq!(versions(&host(HostPhase::Pending, None, None)), "");
    }
}
