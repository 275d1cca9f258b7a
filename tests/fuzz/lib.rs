//! The properties of `property.rs` as a library, for the fuzz targets. The rest is what the integration
//! tests stand on, too.

#[path = "../support/event.rs"]
mod event;
#[expect(dead_code, reason = "not all of what the integration tests need is needed here")]
#[path = "../support/pki.rs"]
mod pki;
mod property;
#[expect(dead_code, reason = "not all of what the integration tests need is needed here")]
#[path = "../support/server.rs"]
mod server;
#[path = "../support/snapshot.rs"]
mod snapshot;

/// Panics unless the property of this name holds for an input.
pub fn check(name: &str, input: &[u8]) {
    let property = property::ALL.iter().find(|(known, _)| *known == name);
    let (_, holds) = property.expect("a target has the name of its property");
    holds(input);
}
