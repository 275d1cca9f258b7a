//! A walk over organizations that were made up, against the plainest way to say whom it should find.

use proptest::prelude::*;

use super::*;
use crate::aws::Unit;
use crate::config::Config;

/// An account of the made-up organization.
#[derive(Clone, Debug)]
struct Known {
    id: AccountId,
    name: &'static str,
    unit: &'static str,
    stage: Option<&'static str>,
    standing: Standing,
}

const UNITS: [&str; 6] = ["", "/A", "/A/B", "/A/B/C", "/AB", "/D"];
const NAMES: [&str; 3] = ["fleet-one", "fleet-two", "lab"];
const STAGES: [Option<&str>; 3] = [None, Some("prod"), Some("test")];
const STANDINGS: [Standing; 3] = [Standing::Active, Standing::Inactive, Standing::Unclear];

fn id(number: usize) -> AccountId {
    format!("{:012}", number + 1).parse().unwrap()
}

fn organization(rules: &str) -> Arc<Organization> {
    let yaml = format!(
        "{{identities: {{hub: {{}}}}, organizations: [{{identity: hub, govcloud: {{identity: hub}}{rules}}}]}}"
    );
    let (config, _) = Config::parse("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    Arc::clone(&config.organizations[0])
}

fn page<T: Clone>(items: &[T], token: Option<&String>, size: usize) -> Page<T> {
    let from = token.map_or(0, |token| token.parse().unwrap());
    let until = items.len().min(from + size);
    Page { items: items[from..until].to_vec(), next: (until < items.len()).then(|| until.to_string()) }
}

fn above(unit: &str) -> &str {
    unit.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Answers what a walk asks for, in pages of a size; with what was asked for.
fn walked(
    accounts: &[Known],
    organization: &Arc<Organization>,
    size: usize,
) -> (Result<Listing, Failure>, Vec<List>) {
    let listed = |known: &Known| ListedAccount {
        id: known.id,
        name: known.name.into(),
        standing: known.standing,
        organization: Some("o-exampleorgid".into()),
    };
    let unit = |path: &str| Unit {
        id: format!("id-of-{path}").into(),
        name: path.rsplit('/').next().unwrap().into(),
    };
    let mut walk = Walk::new(Arc::clone(organization));
    let mut asked = Vec::new();
    while let Some((list, token)) = walk.question() {
        asked.push(list.clone());
        let answer = match &list {
            List::Accounts => {
                Listed::Accounts(page(&accounts.iter().map(listed).collect::<Vec<_>>(), token.as_ref(), size))
            }
            List::Roots => Listed::Units(page(&[unit("")], token.as_ref(), size)),
            List::Units(parent) => {
                let below = UNITS[1..].iter().filter(|path| **parent == *format!("id-of-{}", above(path)));
                Listed::Units(page(&below.map(|path| unit(path)).collect::<Vec<_>>(), token.as_ref(), size))
            }
            List::AccountsOf(parent) => {
                let below = accounts.iter().filter(|known| **parent == *format!("id-of-{}", known.unit));
                Listed::Accounts(page(&below.map(listed).collect::<Vec<_>>(), token.as_ref(), size))
            }
            List::Tags(account) => {
                let known = accounts.iter().find(|known| known.id == *account).unwrap();
                let tags = [("other", "x")].into_iter().chain(known.stage.map(|stage| ("stage", stage)));
                let tags: Vec<_> = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                Listed::Tags(page(&tags, token.as_ref(), size))
            }
        };
        walk.take(answer).unwrap();
    }
    (walk.finish(), asked)
}

/// A rule as it is written, and whether it is so of an account.
type Rule = (&'static str, fn(&Known) -> bool);

const RULES: [Rule; 8] = [
    ("{id: '000000000002'}", |known| known.id == id(1)),
    ("{name: 'fleet-*'}", |known| known.name.starts_with("fleet-")),
    ("{ou: /A}", |known| known.unit == "/A" || known.unit.starts_with("/A/")),
    ("{ou: /A/B}", |known| known.unit.starts_with("/A/B")),
    ("{ou: /D, name: lab}", |known| known.unit == "/D" && known.name == "lab"),
    ("{tags: {stage: prod}}", |known| known.stage == Some("prod")),
    ("{tags: {stage: '*'}, ou: /AB}", |known| known.stage.is_some() && known.unit == "/AB"),
    ("{tags: {stage: test, other: y}}", |_| false),
];

fn accounts() -> impl Strategy<Value = Vec<Known>> {
    let account = (0..NAMES.len(), 0..UNITS.len(), 0..STAGES.len(), 0..STANDINGS.len());
    prop::collection::vec(account, 1..9).prop_map(|all| {
        let known = |(index, (name, unit, stage, standing)): (usize, (usize, usize, usize, usize))| Known {
            id: id(index),
            name: NAMES[name],
            unit: UNITS[unit],
            stage: STAGES[stage],
            standing: STANDINGS[standing],
        };
        all.into_iter().enumerate().map(known).collect()
    })
}

proptest! {
    #[test]
    fn it_finds_whom_the_rules_mean_and_asks_for_no_more(
        accounts in accounts(),
        include in prop::collection::btree_set(0..RULES.len(), 0..4),
        exclude in prop::collection::btree_set(0..RULES.len(), 0..3),
        size in 1_usize..4,
    ) {
        let mut rules = String::new();
        for (key, chosen) in [("include", &include), ("exclude", &exclude)] {
            if !chosen.is_empty() {
                let texts: Vec<_> = chosen.iter().map(|rule| RULES[*rule].0).collect();
                rules += &format!(", {key}: [{}]", texts.join(", "));
            }
        }
        let (listing, asked) = walked(&accounts, &organization(&rules), size);
        let listing = listing.unwrap();
        let any = |chosen: &BTreeSet<usize>, known: &Known| chosen.iter().any(|rule| RULES[*rule].1(known));
        let is_meant = |known: &&Known| (include.is_empty() || any(&include, known)) && !any(&exclude, known);
        let of = |standing: Standing| -> Vec<AccountId> {
            accounts.iter().filter(is_meant).filter(|known| known.standing == standing).map(|known| known.id).collect()
        };
        prop_assert_eq!(listing.accounts.keys().copied().collect::<Vec<_>>(), of(Standing::Active));
        prop_assert_eq!(listing.unclear.iter().copied().collect::<Vec<_>>(), of(Standing::Unclear));
        prop_assert_eq!(listing.organization.as_deref(), Some("o-exampleorgid"));

        let texts: Vec<_> = include.union(&exclude).map(|rule| RULES[*rule].0).collect();
        let names_units = texts.iter().any(|text| text.contains("ou:"));
        let names_tags = texts.iter().any(|text| text.contains("tags:"));
        prop_assert_eq!(asked.contains(&List::Roots), names_units);
        for list in &asked {
            if let List::Tags(account) = list {
                let known = accounts.iter().find(|known| known.id == *account).unwrap();
                prop_assert!(names_tags && known.standing != Standing::Inactive);
            }
        }
    }
}

#[test]
fn tags_are_asked_for_only_where_nothing_else_decides() {
    let known = |number, name, unit| Known {
        id: id(number),
        name,
        unit,
        stage: Some("prod"),
        standing: Standing::Active,
    };
    let accounts = [known(0, "fleet-one", "/A"), known(1, "lab", "/A"), known(2, "fleet-two", "/D")];
    let organization = organization(", include: [{ou: /A, tags: {stage: prod}}], exclude: [{name: lab}]");
    let (listing, asked) = walked(&accounts, &organization, 20);
    let tags: Vec<_> = asked.iter().filter(|list| matches!(list, List::Tags(_))).collect();
    assert_eq!(tags, [&List::Tags(id(0))]);
    assert_eq!(listing.unwrap().accounts.into_keys().collect::<Vec<_>>(), [id(0)]);
    // Down to the unit and below it, and no further aside.
    let visited = |list: &List| matches!(list, List::Units(parent) if **parent == *"id-of-/D");
    assert!(!asked.iter().any(visited), "{asked:?}");
}

#[test]
fn a_unit_that_is_not_there_fails_the_listing() {
    let accounts = [Known { id: id(0), name: "lab", unit: "/A", stage: None, standing: Standing::Active }];
    for rules in [", include: [{ou: /A/X}]", ", exclude: [{ou: /Elsewhere}]"] {
        let (listing, _) = walked(&accounts, &organization(rules), 20);
        let failure = listing.unwrap_err();
        assert_eq!(failure.reason, FailureReason::Other);
        assert!(failure.message.contains("which the configuration names"), "{}", failure.message);
    }
}

#[test]
fn a_list_without_an_end_or_without_anybody_is_no_list() {
    let none = || Listed::Accounts(Page { items: Vec::new(), next: None });
    let mut walk = Walk::new(organization(""));
    walk.question().unwrap();
    assert_eq!(walk.take(none()).unwrap_err().reason, FailureReason::MalformedReply);

    let page = |next: &str| Listed::Accounts(Page { items: Vec::new(), next: Some(next.to_owned()) });
    for circle in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        let mut walk = Walk::new(organization(""));
        for next in circle {
            walk.question().unwrap();
            walk.take(page(next)).unwrap();
            assert_eq!(walk.question(), Some((List::Accounts, Some((*next).to_owned()))));
        }
        assert_eq!(walk.take(page("a")).unwrap_err().reason, FailureReason::MalformedReply);
    }
}

#[test]
fn a_unit_that_is_in_itself_fails_the_listing() {
    let mut walk = Walk::new(organization(", include: [{ou: /A}]"));
    let mut failed = None;
    for _ in 0..10 {
        let Some((list, _)) = walk.question() else { break };
        let taken = walk.take(match list {
            List::Accounts | List::AccountsOf(_) => Listed::Accounts(Page {
                items: vec![ListedAccount {
                    id: id(0),
                    name: "one".into(),
                    standing: Standing::Active,
                    organization: None,
                }],
                next: None,
            }),
            List::Roots => {
                Listed::Units(Page { items: vec![Unit { id: "r".into(), name: "".into() }], next: None })
            }
            _ => Listed::Units(Page { items: vec![Unit { id: "a".into(), name: "A".into() }], next: None }),
        });
        failed = failed.or(taken.err());
    }
    assert_eq!(failed.unwrap().reason, FailureReason::MalformedReply);
}
