//! What the user calls the accounts: one series each, to be joined with all others by
//! `aws_account_id`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exposition::Kind;
use super::page::{Family, Rows};
use crate::model::Account;

pub(super) const FAMILIES: [Family; 1] = [Family {
    name: "regwatch_account_info",
    kind: Kind::Gauge,
    help: "An account as the configuration names it: always 1, the labels tell. Join it by aws_account_id.",
    rows: Rows::Account(|lines, account, columns| {
        let line = lines.line().plain("aws_account_id", account.id).label("account_name", &account.name);
        let line = columns.iter().fold(line, |line, column| line.label(&column.name, column.of(account)));
        line.flag(true);
    }),
}];

/// A label of the accounts' series.
pub(super) struct LabelColumn {
    /// Its name on the page.
    name: String,
    /// The user's labels that it stands for; more than one where Prometheus cannot tell them apart.
    keys: Vec<String>,
}

impl LabelColumn {
    /// The account's value, empty where it has none; of labels that fall together, the first.
    fn of<'a>(&self, account: &'a Account) -> &'a str {
        self.keys.iter().find_map(|key| account.labels.get(key)).map_or("", String::as_str)
    }
}

/// The labels of any account: all series of a family have the same ones.
pub(super) fn label_columns(accounts: &[Arc<Account>]) -> Vec<LabelColumn> {
    // First the user's own names, borrowed, since ten thousand accounts have much the same few.
    let keys: BTreeSet<&str> =
        accounts.iter().flat_map(|account| account.labels.keys()).map(String::as_str).collect();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in keys {
        columns.entry(label_name(key)).or_default().push(key.to_owned());
    }
    columns.into_iter().map(|(name, keys)| LabelColumn { name, keys }).collect()
}

/// `label_` and the user's name, with `_` for what a label name may not hold.
fn label_name(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    "label_".chars().chain(key.chars().map(plain)).collect()
}
