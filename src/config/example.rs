//! Whether `config.example.yaml` keeps its promises: every key, and each default as it is.

use std::collections::BTreeSet;

use super::mistake::Report;
use super::polling::Cadence;
use super::yaml::{self, Node, Value};
use super::{
    Config, Identity, Limits, LogFilter, On, Postgres, Store, TlsMode, account, events, file, header,
    identity, limits, log, on, organization, polling, postgres, store,
};

const EXAMPLE: &str = include_str!("../../config.example.yaml");

#[test]
fn the_example_holds_together() {
    let (_, warnings) = Config::parse("config.example.yaml", EXAMPLE).expect("no mistake");
    assert_eq!(warnings, []);
}

#[test]
fn the_example_shows_every_key() {
    let root = yaml::read(EXAMPLE, &mut Report::default()).expect("YAML");
    let expect = |path: &[&str], keys: &[&str]| {
        assert_eq!(keys_at(&root, path), keys.iter().copied().collect(), "keys of {path:?}");
    };
    expect(&[], file::KEYS);
    expect(&["polling"], polling::KEYS);
    expect(&["limits"], limits::KEYS);
    let postgres = yaml::read(&with_postgres(), &mut Report::default()).expect("YAML");
    let stores: BTreeSet<_> =
        [&root, &postgres].into_iter().flat_map(|root| keys_at(root, &["store"])).collect();
    assert_eq!(stores, store::KEYS.iter().copied().collect(), "keys of store");
    assert_eq!(keys_at(&postgres, &["store", "postgres"]), postgres::KEYS.iter().copied().collect());
    assert_eq!(
        keys_at(&postgres, &["store", "postgres", "tls"]),
        postgres::TLS_KEYS.iter().copied().collect()
    );
    expect(&["identities", "*"], identity::KEYS);
    expect(&["identities", "*", "assume_role"], identity::ROLE_KEYS);
    expect(&["accounts", "*"], account::KEYS);
    expect(&["accounts", "*", "fleetwise"], account::FLEETWISE_KEYS);
    expect(&["accounts", "*", "govcloud"], account::GOVCLOUD_KEYS);
    expect(&["organizations", "*"], organization::KEYS);
    expect(&["organizations", "*", "fleetwise"], account::FLEETWISE_KEYS);
    expect(&["organizations", "*", "govcloud"], account::GOVCLOUD_KEYS);
    let rules: BTreeSet<_> = ["include", "exclude"]
        .into_iter()
        .flat_map(|key| keys_at(&root, &["organizations", "*", key, "*"]))
        .collect();
    assert_eq!(rules, organization::RULE_KEYS.iter().copied().collect(), "keys of rules");
    expect(&["events"], events::KEYS);
    expect(&["events", "webhooks", "*"], events::WEBHOOK_KEYS);
    expect(&["events", "webhooks", "*", "headers", "Authorization"], header::KEYS);
    expect(&["events", "webhooks", "*", "on"], on::KEYS);
    expect(&["log"], log::KEYS);
}

#[test]
fn the_example_shows_the_defaults() {
    let (config, _) = Config::parse("config.example.yaml", EXAMPLE).expect("no mistake");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(Some(config.start_window), polling::start_window(None, &mut Report::default()));
    let defaults = store::in_file("/var/lib/regwatch/regwatch.db".into());
    assert_eq!(config.store, defaults);
    let (shared, _) = Config::parse("config.example.yaml", &with_postgres()).expect("no mistake");
    let examples = Postgres {
        tls: Some(TlsMode::VerifyFull),
        ca_file: Some("/etc/regwatch/postgres-ca.pem".into()),
        replica: Some("regwatch-0".into()),
        ..postgres::at("/etc/regwatch/postgres.url".into())
    };
    assert_eq!(shared.store, Store { path: None, postgres: Some(examples), ..defaults });
    // The first account has a cadence of its own, as an example; the second has the file's.
    assert_eq!(Some(&*config.accounts[1].polling), Cadence::default().polling().as_ref());
    let organization = &config.organizations[0];
    assert_eq!(organization.refresh, organization::DEFAULT_REFRESH);
    assert_eq!(organization.grace, organization::DEFAULT_GRACE);
    let Identity::AssumeRole(role) = &config.identities["member"] else { panic!("not a role") };
    assert_eq!(role.session_name, identity::DEFAULT_SESSION_NAME);
    assert_eq!(config.webhooks[0].timeout, events::DEFAULT_TIMEOUT);
    assert_eq!(config.webhooks[0].on.kinds, On::default().kinds);
    assert_eq!(config.log, Some(LogFilter::default()));
}

/// The example with the database in the place of the file.
fn with_postgres() -> String {
    let lines = EXAMPLE.lines().filter(|line| !line.starts_with("  path:"));
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix("  #: ").map_or_else(|| line.to_owned(), |line| format!("  {line}")))
        .collect();
    lines.join("\n")
}

/// The keys of every mapping that a path leads to; `*` is each item of a list or mapping.
fn keys_at<'n>(node: &'n Node, path: &[&str]) -> BTreeSet<&'n str> {
    match (&node.value, path) {
        (Value::Map(entries), []) => entries.iter().map(|(key, _)| text(key)).collect(),
        (Value::Map(entries), [first, rest @ ..]) => entries
            .iter()
            .filter(|(key, _)| *first == "*" || *first == text(key))
            .flat_map(|(_, value)| keys_at(value, rest))
            .collect(),
        (Value::List(items), ["*", rest @ ..]) => items.iter().flat_map(|item| keys_at(item, rest)).collect(),
        _ => BTreeSet::new(),
    }
}

fn text(key: &Node) -> &str {
    match &key.value {
        Value::Scalar { text, .. } => text,
        other => panic!("a key is {}", other.kind()),
    }
}
