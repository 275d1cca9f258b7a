//! `deploy/prometheus/metrics.md`, and how a page of metrics compares with it.

use std::collections::{BTreeMap, BTreeSet};

const REFERENCE: &str = include_str!("../../deploy/prometheus/metrics.md");

/// The type and the labels of a metric.
pub(crate) type Shape = (String, BTreeSet<String>);

/// What the reference has.
pub(crate) fn listed() -> BTreeMap<String, Shape> {
    let mut listed = BTreeMap::new();
    for row in REFERENCE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else { panic!("four cells: {row}") };
        assert!(!meaning.is_empty(), "{row}");
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let before = listed.insert(name.trim_matches('`').to_owned(), (kind.to_owned(), labels));
        assert!(before.is_none(), "twice: {name}");
    }
    listed
}

/// What a page has, of labels of the user's own what the reference calls them; the labels of each series of a
/// family are the same.
pub(crate) fn shown(page: &str) -> BTreeMap<String, Shape> {
    let mut shown: BTreeMap<String, Shape> = BTreeMap::new();
    let (mut family, mut kind) = ("", "");
    for line in page.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            (family, kind) = head.split_once(' ').expect("a name and a type");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} is not of {family}");
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            // The values of this page have neither quotes nor commas.
            let names = labels.split(',').filter_map(|label| Some(label.split_once("=\"")?.0));
            let name = |name: &str| {
                if name.starts_with("label_") { "label_<name>".to_owned() } else { name.to_owned() }
            };
            let names: BTreeSet<_> =
                names.filter(|name| kind != "histogram" || *name != "le").map(name).collect();
            let shape = (kind.to_owned(), names);
            let before = shown.entry(family.to_owned()).or_insert_with(|| shape.clone());
            assert_eq!(*before, shape, "{line}");
        }
    }
    shown
}
