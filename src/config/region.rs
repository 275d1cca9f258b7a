//! The regions in which an account's FleetWise is asked.

use std::collections::HashMap;

use super::mistake::Report;
use super::value::{list, shown, text};
use super::yaml::Node;
use crate::model::{FLEETWISE_REGIONS, Region};

/// Reads a list of regions; `None` where it is none.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<Vec<Region>> {
    let items = list(node, "regions", "as [us-east-1]", report)?;
    if items.is_empty() {
        report.mistake(node.at, "`regions` is empty; list at least one, as [us-east-1]");
    }
    let mut seen = HashMap::new();
    let mut regions = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = text(item, "regions[]", report) else { continue };
        if let Some(first) = seen.insert(text, item.at) {
            report.mistake(
                item.at,
                format!("region {} is listed already at line {}; keep one", shown(text), first.line),
            );
        } else if !is_region(text) {
            report.mistake(
                item.at,
                format!("{} is no region code; write it as us-east-1 or eu-central-1", shown(text)),
            );
        } else if !FLEETWISE_REGIONS.contains(&text) {
            let right = format!("it is in {}", FLEETWISE_REGIONS.join(", "));
            report.warning(item.at, format!("FleetWise is not in `{text}`; {right}"));
        }
        regions.push(Region::new(text));
    }
    Some(regions)
}

/// Whether a text has the form of a region's code, and so may be a part of a host name.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) if words.len() >= 2 && text.len() <= Region::LONGEST => {
            words.iter().all(is_word) && number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}
