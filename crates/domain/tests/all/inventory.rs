//! What an inventory would change.

use domain::{
    host::{Criticality, Host},
    inventory::{Absent, Difference},
};

use crate::build::{host, hosts};

fn between(known: &[Host], read: &[Host], absent: Absent) -> Difference {
    Difference::between(known.to_vec(), read, absent).unwrap()
}

/// The same host as read from a file: under an id of its own.
fn read(number: u32) -> Host {
    let mut host = host(number, Criticality::Normal, "a");
    host.id.0 = uuid::Uuid::from_u128(1000 + u128::from(number));
    host
}

#[test]
fn what_is_known_already_changes_nothing() {
    let read: Vec<Host> = (1..=3).map(read).collect();
    let difference = between(&hosts(3), &read, Absent::Remove);
    assert!(difference.is_none());
    assert_eq!(
        (difference.unchanged, difference.to_string()),
        (3, String::new())
    );
}

#[test]
fn who_comes_who_leaves_and_who_changes_is_told_by_name() {
    let mut known = hosts(4);
    known[1].groups = ["db".to_owned(), "web".to_owned()].into();
    known[1]
        .variables
        .insert("password".to_owned(), "old".into());
    let mut moved = read(2);
    moved.groups = ["cache".to_owned(), "web".to_owned()].into();
    moved
        .variables
        .insert("password".to_owned(), "s3cret".into());
    moved.criticality = Criticality::High;
    moved.failure_domain = "b".to_owned();
    let mut renamed = read(3);
    renamed.name = "db-1".parse().unwrap();
    let found = between(&known, &[read(1), moved, renamed, read(9)], Absent::Remove);
    assert_eq!(
        found.to_string(),
        "New: web-0009. Removed: web-0004. Changed: web-0002, db-1. What changed: criticality, failure domain, groups, name, password."
    );
    let [moved, renamed] = found.changed.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(moved.host.id, known[1].id, "a known host keeps its id");
    assert_eq!(
        (&moved.joined, &moved.left),
        (&["cache".to_owned()].into(), &["db".to_owned()].into())
    );
    assert_eq!(renamed.renamed_from, Some(known[2].name.clone()));
    assert_eq!(found.unchanged, 1);

    let kept = between(&known, &[read(1)], Absent::Keep);
    assert!(kept.is_none() && kept.removed().is_empty());
    assert_eq!(kept.gone.len(), 3);
}

#[test]
fn a_name_is_free_when_its_host_leaves() {
    let mut other = read(9);
    other.name = hosts(1)[0].name.clone();
    let refused = Difference::between(hosts(1), std::slice::from_ref(&other), Absent::Keep);
    let message = refused.unwrap_err().message;
    assert!(
        message.starts_with("Two hosts are called “web-0001”"),
        "{message}"
    );
    let taken_over = between(&hosts(1), &[other], Absent::Remove);
    assert_eq!((taken_over.added.len(), taken_over.removed().len()), (1, 1));
}

#[test]
fn a_digest_stands_for_what_was_shown() {
    let digest = |read: &[Host], absent| between(&hosts(2), read, absent).digest().unwrap();
    let mut later = read(9);
    later.id.0 = uuid::Uuid::from_u128(77);
    assert_eq!(
        digest(&[read(9)], Absent::Keep),
        digest(&[later.clone()], Absent::Keep),
        "ids of new hosts are made anew at each look"
    );
    later.variables.insert("ansible_port".to_owned(), 22.into());
    let changed = |variable: &str, group: &str| {
        let mut host = read(1);
        host.variables.insert("word".to_owned(), variable.into());
        host.groups.insert(group.to_owned());
        host
    };
    let mut seen = [
        digest(&[changed("a", "web")], Absent::Keep),
        digest(&[changed("b", "web")], Absent::Keep),
        digest(&[changed("b", "db")], Absent::Keep),
        digest(&[], Absent::Keep),
        digest(&[], Absent::Remove),
        digest(&[read(9)], Absent::Keep),
        digest(&[read(1), read(9)], Absent::Keep),
        digest(&[later], Absent::Keep),
    ];
    seen.sort();
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn one_machine_is_one_host() {
    let at = |number: u32, address: &str| {
        let mut host = read(number);
        host.variables
            .insert("ansible_host".to_owned(), address.into());
        host
    };
    let (one, other) = (at(7, "10.9.9.9"), at(8, "10.9.9.9"));
    let apart = at(8, "10.9.9.8");
    for (known, read) in [
        (vec![], vec![one.clone(), other.clone()]),
        (vec![one.clone()], vec![other]),
    ] {
        let refused = Difference::between(known, &read, Absent::Keep).unwrap_err();
        let said = "web-0007 and web-0008 are both found at 10.9.9.9:22";
        let other_way = "web-0008 and web-0007 are both found at 10.9.9.9:22";
        assert!(
            refused.message.starts_with(said) || refused.message.starts_with(other_way),
            "{refused}"
        );
    }
    assert!(Difference::between(vec![one], &[apart], Absent::Keep).is_ok());
}

#[test]
fn values_are_told_of_what_is_no_secret() {
    let mut moved = read(1);
    for (name, value) in [("ansible_host", "10.9.9.9"), ("password", "s3cret")] {
        moved.variables.insert(name.to_owned(), value.into());
    }
    moved.criticality = Criticality::High;
    let mut before = host(1, Criticality::Normal, "a");
    before.variables.insert("token".to_owned(), "0f0f".into());
    let found = between(std::slice::from_ref(&before), &[moved], Absent::Keep);
    let what = &found.changed[0].what;
    let spelt: Vec<String> = what
        .iter()
        .map(|(name, change)| change.spell(name))
        .collect();
    assert_eq!(
        spelt,
        [
            "ansible_host none → 10.9.9.9",
            "criticality normal → high",
            "password added",
            "token dropped",
        ]
    );
    assert!(!format!("{what:?}").contains("s3cret"));
}
