//! The whole daemon, in this process, against the simulated AWS over HTTP.

mod alerts;
mod api;
mod config;
mod credentials;
mod delivery;
mod discovery;
mod door;
#[path = "../support/event.rs"]
mod event;
mod fuzz;
#[path = "../support/harness.rs"]
mod harness;
mod http;
mod metrics;
mod pacing;
#[path = "../support/page.rs"]
mod page;
mod pages;
#[path = "../support/pki.rs"]
mod pki;
mod place;
#[path = "../support/posting.rs"]
mod posting;
mod process;
#[path = "../fuzz/property.rs"]
mod property;
#[path = "../support/receiver.rs"]
mod receiver;
#[path = "../support/reference.rs"]
mod reference;
mod reload;
mod replicas;
#[path = "../support/scene.rs"]
mod scene;
#[path = "../support/server.rs"]
mod server;
mod sim;
#[path = "../support/sinks.rs"]
mod sinks;
#[path = "../support/snapshot.rs"]
mod snapshot;
#[path = "../support/stall.rs"]
mod stall;
mod states;
#[path = "../support/store.rs"]
mod store;
mod tidy;
#[path = "../support/truth.rs"]
mod truth;
#[path = "../support/turmoil.rs"]
mod turmoil;
#[path = "../support/watch.rs"]
mod watch;
mod webhook;
