//! The cursor of a page of targets: the key of its last target.
//!
//! Who pages gets the rest of the fleet, each target once, whatever was added or removed meanwhile.
//! Callers are told to look at it as opaque.

use std::fmt::Write as _;

use utoipa::openapi::Object;

use super::value::{Value, matching};
use crate::model::{AccountId, Probe, Region};
use crate::store::TargetKey;

impl Value for TargetKey {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let account = AccountId::read(parts.next()?)?;
        let probe = Probe::read(parts.next()?)?;
        let region = match parts.next() {
            Some(region) => Some(Region::read(region)?),
            None => None,
        };
        Some(Self { account, probe, region })
    }

    fn right() -> String {
        "`next` of the page before, as it was given".to_owned()
    }

    fn schema() -> Object {
        let probes: Vec<_> = Probe::ALL.iter().map(|probe| probe.as_str()).collect();
        let region = format!("[a-z0-9-]{{1,{}}}", Region::LONGEST);
        matching(&format!("^[0-9]{{12}}\\.({})(\\.{region})?$", probes.join("|")))
    }
}

/// The text of a cursor.
pub(super) fn cursor(key: &TargetKey) -> String {
    let mut text = format!("{}.{}", key.account, key.probe.as_str());
    if let Some(region) = &key.region {
        write!(text, ".{region}").expect("a text takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::value::tests::refuses;
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let account = "000123456789".parse().unwrap();
        for region in [None, Some(Region::new("eu-central-1"))] {
            let key = TargetKey { account, probe: Probe::GovCloud, region };
            assert_eq!(TargetKey::read(&cursor(&key)), Some(key));
        }
        refuses::<TargetKey>(&[
            "",
            "000123456789",
            "000123456789.",
            "000123456789.iam",
            "00123456789.govcloud",
            "000123456789.fleetwise.",
            "000123456789.fleetwise.a.b",
        ]);
    }
}
