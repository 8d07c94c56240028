use domain::{
    host::{Criticality, Host},
    partition::{Selector, Split},
};
use proptest::prelude::*;

use crate::build::{host, hosts};

fn sizes(split: &str, count: u32) -> Vec<usize> {
    split
        .parse::<Split>()
        .unwrap()
        .cut(&hosts(count))
        .unwrap()
        .iter()
        .map(Vec::len)
        .collect()
}

fn refusal(split: &str, hosts: &[Host]) -> String {
    match split.parse::<Split>() {
        Ok(split) => split.cut(hosts).unwrap_err().message,
        Err(error) => error.message,
    }
}

#[test]
fn largest_remainder_ties_to_the_later_batch() {
    for (count, expected) in [
        (6, [2, 2, 2]),
        (9, [3, 3, 3]),
        (10, [3, 3, 4]),
        (100, [33, 33, 34]),
        (3, [1, 1, 1]),
        (11, [3, 4, 4]),
    ] {
        assert_eq!(sizes("33/33/34%", count), expected, "of {count}");
    }
    assert_eq!(sizes("50/50%", 3), [1, 2], "a tie goes to the later batch");
    assert_eq!(sizes("10/20/70%", 10), [1, 2, 7]);
    assert_eq!(sizes("100%", 1), [1]);
    assert_eq!(sizes("1/99%", 10_000), [100, 9900]);
    assert_eq!(sizes("1/2/3 hosts", 6), [1, 2, 3]);
}

#[test]
fn what_cannot_be_cut_is_refused_with_a_sentence() {
    let three = hosts(3);
    let table = [
        refusal("33/33/34%", &hosts(2)),
        refusal("1/99%", &three),
        refusal("50/40%", &three),
        refusal("0/100%", &three),
        refusal("1/1 hosts", &three),
        refusal("0/3 hosts", &three),
        refusal("criticality=low/rest", &three),
        refusal("criticality=normal/rest", &three),
        refusal("domain=b", &three),
        refusal("criticality=normal/domain=a", &three),
        refusal("rest/rest", &three),
        refusal("domain=a/domain=a", &three),
        refusal("100%", &[]),
        refusal("", &three),
        refusal("a third each", &three),
        refusal("33/33/34/", &three),
        refusal("criticality=dire", &three),
        refusal(&vec!["2"; 50].join("/"), &three),
        refusal(&format!("{}/49", vec!["1"; 51].join("/")), &three),
    ];
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn a_split_built_by_hand_is_checked_before_it_cuts() {
    for split in [
        Split::Percent(vec![50]),
        Split::Percent(vec![200]),
        Split::Percent(vec![]),
        Split::Count(vec![0, 3]),
        Split::Selectors(vec![]),
    ] {
        assert!(split.cut(&hosts(3)).is_err(), "{split:?}");
    }
}

#[test]
fn non_critical_hosts_come_first_then_failure_domains() {
    let mixed = [
        host(1, Criticality::High, "a"),
        host(2, Criticality::Low, "b"),
        host(3, Criticality::Normal, "a"),
        host(4, Criticality::Low, "a"),
        host(5, Criticality::Normal, "b"),
        host(6, Criticality::High, "a"),
    ];
    let cut = |split: &str| -> Vec<Vec<String>> {
        let batches = split.parse::<Split>().unwrap().cut(&mixed).unwrap();
        batches
            .iter()
            .map(|batch| {
                batch
                    .iter()
                    .map(|host| host.name.as_str().replace("web-000", ""))
                    .collect()
            })
            .collect()
    };
    assert_eq!(cut("33/33/34%"), [["4", "2"], ["3", "5"], ["1", "6"]]);
    assert_eq!(
        cut("criticality=low/criticality=high/rest"),
        [["4", "2"], ["1", "6"], ["3", "5"]]
    );
    assert_eq!(
        cut("rest/domain=b"),
        [vec!["4", "3", "1", "6"], vec!["2", "5"]]
    );
}

#[test]
fn a_split_reads_what_it_writes() {
    for text in [
        "33/33/34%",
        "1/2/3 hosts",
        "criticality=low/domain=eu-west/rest",
    ] {
        let split: Split = text.parse().unwrap();
        assert_eq!(split.to_string(), text);
        assert_eq!(
            serde_json::from_str::<Split>(&serde_json::to_string(&split).unwrap()).unwrap(),
            split
        );
    }
    assert!(serde_json::from_str::<Split>("\"50/40%\"").is_err());
}

fn some_hosts() -> impl Strategy<Value = Vec<Host>> {
    let criticality = prop_oneof![
        Just(Criticality::Low),
        Just(Criticality::Normal),
        Just(Criticality::High)
    ];
    proptest::collection::vec((criticality, "[abc]"), 1..200).prop_map(|kinds| {
        (1..)
            .zip(kinds)
            .map(|(number, (criticality, domain))| host(number, criticality, &domain))
            .collect()
    })
}

fn some_percent() -> impl Strategy<Value = Split> {
    proptest::collection::btree_set(1..100_u32, 0..8).prop_map(|cuts| {
        let edges: Vec<u32> = std::iter::once(0).chain(cuts).chain([100]).collect();
        Split::Percent(edges.windows(2).map(|edge| edge[1] - edge[0]).collect())
    })
}

fn some_split() -> impl Strategy<Value = Split> {
    let selector = prop_oneof![
        Just(Selector::Criticality(Criticality::Low)),
        Just(Selector::Criticality(Criticality::High)),
        Just(Selector::FailureDomain("a".to_owned())),
        Just(Selector::FailureDomain("b".to_owned())),
        Just(Selector::Rest),
    ];
    prop_oneof![
        some_percent(),
        proptest::collection::vec(0..60_u32, 1..5).prop_map(Split::Count),
        proptest::collection::vec(0..200_u32, 0..5).prop_map(Split::Percent),
        proptest::collection::vec(selector, 1..4).prop_map(Split::Selectors),
    ]
}

proptest! {
    #[test]
    fn no_host_is_lost_or_doubled_and_no_batch_is_empty(split in some_split(), hosts in some_hosts()) {
        if let Ok(batches) = split.cut(&hosts) {
            prop_assert_eq!(batches.len(), split.batches());
            prop_assert!(batches.iter().all(|batch| !batch.is_empty()));
            let mut reached: Vec<_> = batches.iter().flatten().map(|host| host.id).collect();
            reached.sort();
            let mut all: Vec<_> = hosts.iter().map(|host| host.id).collect();
            all.sort();
            prop_assert_eq!(reached, all);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(split in some_split(), (hosts, shuffled) in some_hosts().prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle()))) {
        match (split.cut(&hosts), split.cut(&shuffled)) {
            (Ok(left), Ok(right)) => prop_assert_eq!(left, right),
            (Err(left), Err(right)) => prop_assert_eq!(left, right),
            (left, right) => prop_assert!(false, "{left:?} {right:?}"),
        }
    }

    #[test]
    fn a_share_is_never_off_by_a_whole_host(split in some_percent(), hosts in some_hosts()) {
        let Split::Percent(shares) = &split else { unreachable!("only percentages are drawn") };
        match split.cut(&hosts) {
            Ok(batches) => {
                for (share, batch) in shares.iter().zip(&batches) {
                    let exact = f64::from(*share) * hosts.len() as f64 / 100.0;
                    prop_assert!((batch.len() as f64 - exact).abs() < 1.0);
                }
            }
            Err(error) => prop_assert!(error.message.contains("would be empty"), "{}", error.message),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}") {
        if let Ok(split) = text.parse::<Split>() {
            prop_assert_eq!(split.to_string().parse::<Split>().unwrap(), split);
        }
    }
}
