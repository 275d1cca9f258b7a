//! `regwatch store copy`: what it takes, and what it tells.

use std::path::Path;

use regwatch::config;
use regwatch::store::Store;
use tokio::time::timeout;

use super::{PATIENCE, regwatch};
use crate::store::copy::fill;

/// Exit status, standard output and standard error of a copy.
async fn copy(from: &Path, to: &Path) -> (Option<i32>, String, String) {
    let mut command = regwatch();
    command.args(["store", "copy", "--from"]).arg(from).arg("--to").arg(to);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
    (output.status.code(), out, err)
}

async fn filled(path: &Path) {
    let settings = config::Store { path: Some(path.to_owned()), ..config::Store::default() };
    let store = Store::open(&settings).await.expect("it opens");
    fill(&store, 12).await;
    store.close().await;
}

#[tokio::test]
async fn a_file_is_copied_to_the_store_of_a_configuration_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to, config] = ["old.db", "new.db", "config.yaml"].map(|name| folder.path().join(name));
    filled(&from).await;
    let rest = "identities: {hub: {}}\naccounts: [{id: '111122223333', govcloud: {identity: hub}}]\n";
    std::fs::write(&config, format!("store: {{path: {}}}\n{rest}", to.display())).expect("it can be written");
    let before = std::fs::read(&from).expect("it is there");

    let (status, table, said) = copy(&from, &config).await;
    assert_eq!((status, said.as_str()), (Some(0), ""), "{table}");
    assert_eq!(std::fs::read(&from).expect("it is there"), before);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["rows", "SHA-256"]);
    let events = rows.iter().find(|row| row.first() == Some(&"events")).expect("a line");
    assert_eq!((events[1], events[2].len()), ("12", 64), "{table}");
    assert!(table.ends_with("\nBoth are the same. The next event has the number 13.\n"), "{table}");

    let (status, again, _) = copy(&from, &config).await;
    assert_eq!(status, Some(0));
    let (sums, _) = table.split_once("\n\n").expect("a table");
    assert!(again.starts_with(sums) && again.contains("\nIt was copied before, and"), "{again}");
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to, none, config] =
        ["old.db", "other.db", "none.db", "config.yml"].map(|name| folder.path().join(name));
    filled(&from).await;
    filled(&to).await;
    let memory = "identities: {hub: {}}\naccounts: [{id: '111122223333', govcloud: {identity: hub}}]\n";
    std::fs::write(&config, memory).expect("it can be written");
    for (from, to, status, told) in [
        (&from, &to, 1, "has something else in it, or has gone on since it was copied"),
        (&from, &from, 1, "cannot be copied to itself"),
        (&none, &to, 1, "there is no store "),
        (&from, &config, 1, "config.yml names no file or database in `store`"),
        (&folder.path().join("none.yaml"), &to, 78, "none.yaml"),
    ] {
        let (code, table, said) = copy(from, to).await;
        assert_eq!((code, table.as_str()), (Some(status), ""), "{said}");
        assert!(said.contains(told), "{said}");
    }
    assert!(!none.exists() && !folder.path().join("none.db.lock").exists(), "nothing was made");
}
