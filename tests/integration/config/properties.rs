//! What holds for every configuration: no text is too odd to be judged, and what a file says is what is
//! watched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use regwatch::config::Config;
use regwatch::model::{Caller, Fleet, Probe, Region, ScopeId, Service, TargetId};

const EXAMPLE: &str = include_str!("../../../config.example.yaml");
const STS_REGION: &str = "eu-central-1";

/// An account of a generated file.
#[derive(Clone, Debug)]
struct Watched {
    id: String,
    regions: BTreeSet<&'static str>,
    member: &'static str,
    govcloud: Option<&'static str>,
    interval_seconds: Option<u64>,
    is_quoted_twice: bool,
}

/// What a target is, apart from its place in the fleet.
type Expected = (String, Probe, String, String, Duration, (Service, Caller, String));

proptest! {
    #[test]
    fn any_text_is_judged(text in "[ -~\n\t\u{80}-\u{ffff}]{0,200}") {
        judge(&text)?;
    }

    #[test]
    fn any_yaml_like_text_is_judged(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..60)
    ) {
        judge(&words.concat())?;
    }

    #[test]
    fn any_mutation_of_a_good_file_is_judged(
        at in 0..EXAMPLE.len(),
        removed in 0..40_usize,
        inserted in "[ -~\n]{0,4}",
    ) {
        let end = (at + removed).min(EXAMPLE.len());
        judge(&format!("{}{inserted}{}", &EXAMPLE[..at], &EXAMPLE[end..]))?;
    }

    #[test]
    fn a_valid_file_is_watched_as_it_says(accounts in accounts()) {
        let (config, warnings) = Config::parse("config.yaml", &file(&accounts)).expect("valid");
        prop_assert!(warnings.iter().all(|warning| warning.message.contains("used by no account")));
        let fleet = config.fleet(&Region::new(STS_REGION));

        let ids: Vec<_> = fleet.accounts.iter().map(|account| account.id.to_string()).collect();
        prop_assert_eq!(ids, accounts.iter().map(|account| account.id.clone()).collect::<Vec<_>>());
        let found: Vec<_> = fleet.targets.iter().map(|target| {
            let scope = fleet.scope(target.scope);
            (
                target.account.id.to_string(),
                target.probe,
                target.region_str().to_owned(),
                target.identity.to_string(),
                target.polling.interval,
                (scope.service, scope.caller.clone(), scope.region.to_string()),
            )
        }).collect();
        prop_assert_eq!(found, accounts.iter().flat_map(targets).collect::<Vec<_>>());
        check_scopes(&fleet)?;
    }
}

/// Pieces that come together to almost a configuration.
const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    "\n- ",
    "\n  - ",
    " ",
    ": ",
    ", ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "|",
    ">",
    "&a ",
    "*a",
    "<<",
    "!x ",
    "?",
    "~",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "accounts",
    "identities",
    "polling",
    "limits",
    "id",
    "\"111122223333\"",
    "fleetwise",
    "govcloud",
    "identity",
    "hub",
    "from",
    "assume_role",
    "role_arn",
    "arn:aws:iam::{account_id}:role/r",
    "regions",
    "us-east-1",
    "interval",
    "5m",
    "labels",
    "é",
    "\u{feff}",
    "\r\n",
    "\0",
];

/// A text is a configuration, or has mistakes that are in it, in the order of the file.
fn judge(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = Config::parse("config.yaml", text) else { return Ok(()) };
    prop_assert!(!errors.mistakes.is_empty());
    prop_assert!(errors.mistakes.is_sorted());
    let lines = text.split('\n').count();
    for mistake in &errors.mistakes {
        prop_assert!((1..=lines + 1).contains(&mistake.line), "line of {mistake:?}");
        prop_assert!(mistake.column >= 1, "column of {mistake:?}");
        prop_assert!(!mistake.message.contains('\n'), "one line: {mistake:?}");
    }
    prop_assert_eq!(errors.to_string().lines().count(), errors.mistakes.len());
    Ok(())
}

/// Every target is in the one scope that it names, no bucket has two scopes, and what a scope wants is
/// what its targets want.
fn check_scopes(fleet: &Fleet) -> Result<(), TestCaseError> {
    let mut scope_of: HashMap<TargetId, ScopeId> = HashMap::new();
    let mut buckets = BTreeSet::new();
    for (id, scope) in (0..).map(ScopeId).zip(&fleet.scopes) {
        prop_assert!(buckets.insert((scope.service, &scope.caller, &scope.region)), "twice: {scope:?}");
        let mut wanted = 0.0;
        for &target in &scope.targets {
            prop_assert_eq!(scope_of.insert(target, id), None);
            wanted += 1.0 / fleet.target(target).polling.interval.as_secs_f64();
        }
        if scope.service == Service::Sts {
            prop_assert!(scope.targets.is_empty());
            prop_assert!(fleet.sts_scopes.values().any(|&named| named == id), "nobody's: {scope:?}");
        } else {
            prop_assert!((scope.wanted - wanted).abs() < 1e-9, "{} is not {wanted}", scope.wanted);
        }
    }
    let mut cadences = BTreeMap::new();
    for (id, target) in (0..).map(TargetId).zip(&fleet.targets) {
        prop_assert_eq!(scope_of.get(&id), Some(&target.scope));
        let shared = cadences.entry(&target.polling).or_insert(&target.polling);
        prop_assert!(Arc::ptr_eq(shared, &target.polling), "equal, but not shared: {shared:?}");
    }
    Ok(())
}

fn accounts() -> impl Strategy<Value = Vec<Watched>> {
    let regions = || {
        prop::collection::btree_set(
            prop::sample::select(&["ap-south-1", "eu-central-1", "us-east-1"][..]),
            0..4,
        )
    };
    let one = (
        regions(),
        prop::sample::select(&["member", "deep"][..]),
        prop::option::of(prop::sample::select(&["hub", "org", "audit", "member"][..])),
        prop::option::of(20..600_u64),
        any::<bool>(),
    );
    prop::collection::btree_map(0..1_000_000_000_000_u64, one, 1..12).prop_map(|accounts| {
        accounts
            .into_iter()
            .map(|(id, (regions, member, govcloud, interval_seconds, is_quoted_twice))| Watched {
                id: format!("{id:012}"),
                // Something has to be watched.
                govcloud: govcloud.or(regions.is_empty().then_some("hub")),
                regions,
                member,
                interval_seconds,
                is_quoted_twice,
            })
            .collect()
    })
}

fn file(accounts: &[Watched]) -> String {
    let mut text = String::from(
        "identities:
  hub: {}
  org: {profile: organization}
  audit: {from: org, assume_role: {role_arn: \"arn:aws:iam::999988887777:role/audit\"}}
  member: {from: hub, assume_role: {role_arn: \"arn:aws:iam::{account_id}:role/member\"}}
  deep: {from: audit, assume_role: {role_arn: \"arn:aws:iam::{account_id}:role/deep\"}}
accounts:\n",
    );
    for account in accounts {
        let quote = if account.is_quoted_twice { '"' } else { '\'' };
        writeln!(text, "- id: {quote}{}{quote}", account.id).expect("a string");
        if !account.regions.is_empty() {
            let regions: Vec<_> = account.regions.iter().copied().collect();
            writeln!(
                text,
                "  fleetwise: {{identity: {}, regions: [{}]}}",
                account.member,
                regions.join(", ")
            )
            .expect("a string");
        }
        if let Some(identity) = account.govcloud {
            writeln!(text, "  govcloud:\n    identity: {identity}").expect("a string");
        }
        if let Some(seconds) = account.interval_seconds {
            writeln!(text, "  polling: {{interval: {seconds}s}}").expect("a string");
        }
    }
    text
}

fn targets(account: &Watched) -> Vec<Expected> {
    let own = || Caller::Account(account.id.parse().expect("twelve digits"));
    let interval = Duration::from_secs(account.interval_seconds.unwrap_or(300));
    let mut targets: Vec<Expected> = account
        .regions
        .iter()
        .map(|region| {
            let bucket = (Service::FleetWise, own(), (*region).to_owned());
            (
                account.id.clone(),
                Probe::FleetWise,
                (*region).to_owned(),
                account.member.to_owned(),
                interval,
                bucket,
            )
        })
        .collect();
    if let Some(identity) = account.govcloud {
        let caller = match identity {
            "member" => own(),
            "audit" => Caller::Account("999988887777".parse().expect("twelve digits")),
            base => Caller::Identity(base.into()),
        };
        let bucket = (Service::Account, caller, "us-east-1".to_owned());
        targets.push((
            account.id.clone(),
            Probe::GovCloud,
            String::new(),
            identity.to_owned(),
            interval,
            bucket,
        ));
    }
    targets
}
