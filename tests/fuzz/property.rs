//! What holds whatever the input is. The fuzz targets look for an input for which it does not, and
//! `tests/integration/fuzz` plays the committed ones again.
//!
//! A property takes bytes, and panics where it does not hold. What the bytes stand for is up to it.

#[path = "property/config.rs"]
mod config;
#[path = "property/config_tree.rs"]
mod config_tree;
#[path = "property/cursor.rs"]
mod cursor;
#[path = "property/fleet.rs"]
mod fleet;
#[path = "property/listing.rs"]
mod listing;
#[path = "property/pages.rs"]
mod pages;
#[path = "property/pocket.rs"]
mod pocket;
#[path = "property/query.rs"]
mod query;
#[path = "property/reply.rs"]
mod reply;
#[path = "property/tree.rs"]
mod tree;
#[path = "property/verdict.rs"]
mod verdict;
#[path = "property/visitor.rs"]
mod visitor;
#[path = "property/web.rs"]
mod web;
#[path = "property/web_tree.rs"]
mod web_tree;

/// A property.
pub(crate) type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target.
pub(crate) const ALL: [(&str, Property); 8] = [
    ("config", config::holds),
    ("config_tree", config_tree::holds),
    ("cursor", cursor::holds),
    ("listing", listing::holds),
    ("query", query::holds),
    ("reply", reply::holds),
    ("web", web::holds),
    ("web_tree", web_tree::holds),
];
