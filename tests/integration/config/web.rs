//! Web configurations beside what regwatch makes of them.

use std::path::Path;

use regwatch::config::Web;

use super::{compare, files, table};

fn told(name: &str, text: &str) -> String {
    match Web::parse(&format!("etc/{name}"), text) {
        Ok((web, warnings)) => {
            let warnings: String = warnings.iter().map(|warning| format!("{warning}\n")).collect();
            format!("{warnings}{web:#?}\n")
        }
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn bad_files_are_refused_with_every_mistake() {
    compare("web/bad", told);
}

#[test]
fn good_files_are_read_as_they_stand() {
    compare("web/good", told);
}

#[test]
fn passwords_hashes_and_keys_stay_hidden() {
    for folder in ["web/bad", "web/good"] {
        for yaml in files(&table(folder), "yaml") {
            let text = std::fs::read_to_string(&yaml).expect("readable");
            let told = told("web.yaml", &text);
            for secret in ["hunter2", "X0h1gDsP"] {
                assert!(!told.contains(secret), "{} gives a secret away: {told}", yaml.display());
            }
        }
    }
}

#[test]
fn the_example_is_taken_with_the_password_that_it_tells() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/web-config.example.yaml");
    let (web, warnings) = Web::load(&example).expect("no mistake");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(web.tls.is_some() && !web.headers.is_empty());
    let hash = &web.users["prometheus"];
    assert!(hash.is_of(b"change-me") && !hash.is_of(b"change-it"));
}
