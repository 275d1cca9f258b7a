//! Configuration files beside what regwatch makes of them: bad ones with every mistake that is told,
//! good ones with what is doubtful and with the fleet that they describe.

mod properties;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use regwatch::config::{Config, ConfigError, Store};
use regwatch::model::{Caller, Fleet, Region};

#[test]
fn bad_files_are_refused_with_every_mistake() {
    compare("bad", |name, text| match Config::parse(name, text) {
        Ok(_) => "nothing wrong\n".to_owned(),
        Err(errors) => format!("{errors}\n"),
    });
}

#[test]
fn good_files_describe_a_fleet() {
    compare("good", |name, text| match Config::parse(name, text) {
        Ok((config, warnings)) => {
            let mut told: String = warnings.iter().map(|warning| format!("{warning}\n")).collect();
            let Store { path, postgres, retention, max_events } = &config.store;
            if let Some(path) = path {
                writeln!(told, "store {} {retention:?} {max_events}", path.display()).expect("a string");
            }
            if let Some(postgres) = postgres {
                writeln!(told, "store {postgres:?} {retention:?} {max_events}").expect("a string");
            }
            describe(&config.fleet(&Region::new("eu-central-1")), &mut told);
            told.extend(config.webhooks.iter().map(|webhook| format!("{webhook:?}\n")));
            told
        }
        Err(errors) => format!("{errors}\n"),
    });
}

#[test]
fn external_ids_stay_hidden() {
    for folder in ["bad", "good"] {
        for yaml in files(&table(folder), "yaml") {
            let text = std::fs::read_to_string(&yaml).expect("readable");
            let told = match Config::parse("config.yaml", &text) {
                Ok(config) => format!("{config:?}"),
                Err(errors) => format!("{errors} {errors:?}"),
            };
            assert!(!told.contains("hunter"), "{} gives a secret away: {told}", yaml.display());
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.yaml");
    let error = Config::load(&missing).expect_err("there is no such file");
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot read the configuration file {}", missing.display()));
    assert!(
        matches!(Config::load(folder.path()), Err(ConfigError::Unreadable { .. })),
        "a folder is no file"
    );
}

#[test]
fn a_file_in_another_encoding_is_refused_where_it_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let latin1 = folder.path().join("latin1.yaml");
    std::fs::write(&latin1, b"accounts:\n  - name: \xc3\xbc M\xfcnchen\n").expect("writable");
    let error = Config::load(&latin1).expect_err("not UTF-8");
    assert_eq!(
        error.to_string(),
        format!("{}:2:14: not UTF-8; save the file in that encoding", latin1.display())
    );
}

/// Compares what is made of every YAML file of a folder with the text beside it.
fn compare(folder: &str, outcome: impl Fn(&str, &str) -> String) {
    let folder = table(folder);
    let inputs = files(&folder, "yaml");
    let expected: BTreeMap<_, _> = inputs.iter().map(|yaml| (yaml.with_extension("txt"), yaml)).collect();
    let present: BTreeSet<_> = files(&folder, "txt").into_iter().collect();
    let stray: Vec<_> = present.iter().filter(|txt| !expected.contains_key(*txt)).collect();
    assert!(stray.is_empty(), "texts without their YAML: {stray:?}");
    assert!(!inputs.is_empty(), "no files in {}", folder.display());

    let mut wrong = String::new();
    for (txt, yaml) in expected {
        let name = yaml.file_name().and_then(|name| name.to_str()).expect("named in ASCII");
        let text = std::fs::read_to_string(yaml).expect("readable");
        let outcome = outcome(name, &text);
        match std::fs::read_to_string(&txt) {
            Ok(expected) if expected == outcome => {}
            Ok(expected) => {
                write!(wrong, "\n{name}, expected:\n{expected}\n{name}, found:\n{outcome}")
                    .expect("a string");
            }
            Err(error) => {
                write!(wrong, "\n{}: {error}; found:\n{outcome}", txt.display()).expect("a string");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn table(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// One line for each account, target and scope of a fleet.
fn describe(fleet: &Fleet, told: &mut String) {
    for account in &fleet.accounts {
        writeln!(told, "account {} {:?} {:?}", account.id, account.name, account.labels).expect("a string");
    }
    for (index, target) in fleet.targets.iter().enumerate() {
        let (account, probe, region) = (target.account.id, target.probe.as_str(), target.region_str());
        let (identity, scope, polling) = (&target.identity, target.scope.0, &target.polling);
        writeln!(told, "target {index}: {account} {probe} {region:?} as {identity} in scope {scope}")
            .expect("a string");
        writeln!(told, "  {polling:?}").expect("a string");
    }
    for (index, scope) in fleet.scopes.iter().enumerate() {
        let caller = match &scope.caller {
            Caller::Account(account) => account.to_string(),
            Caller::Identity(name) => format!("whoever {name} is"),
        };
        let names: Vec<_> =
            fleet.sts_scopes.iter().filter(|(_, id)| id.0 as usize == index).map(|(name, _)| name).collect();
        let (service, region, limit, wanted) =
            (scope.service.as_str(), &scope.region, scope.limit, scope.wanted);
        let targets: Vec<_> = scope.targets.iter().map(|id| id.0).collect();
        writeln!(
            told,
            "scope {index}: {service} {region} called by {caller} at most {limit}/s, wanted {:.1}/h, \
             targets {targets:?}, identities {names:?}",
            wanted * 3600.0
        )
        .expect("a string");
    }
}
