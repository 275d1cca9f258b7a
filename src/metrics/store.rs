//! How often the store has failed.

use super::exposition::Kind;
use super::page::{Family, Rows};
use crate::store::Trouble;

pub(super) const FAMILIES: [Family; 1] = [Family {
    name: "regwatch_store_errors_total",
    kind: Kind::Counter,
    help: "Operations on the store that failed, by reason: what is written and read, for whatever purpose, and \
           leases.",
    rows: Rows::Store(|lines, troubles| {
        for trouble in Trouble::ALL {
            lines.line().label("reason", trouble.as_str()).count(troubles.of(trouble));
        }
    }),
}];
