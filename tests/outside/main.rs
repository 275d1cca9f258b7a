//! regwatch and its simulated AWS before judges that others wrote. Run by `tests/run`, which installs
//! them.

mod alertmanager;
mod api;
mod aws_steps;
mod browser;
mod container;
mod dashboard;
mod demo;
#[path = "../support/event.rs"]
mod event;
#[expect(dead_code, reason = "the browser needs less of it than the integration tests")]
#[path = "../support/harness.rs"]
mod harness;
mod judge;
mod kubernetes;
mod metrics;
mod moto;
mod package;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/pki.rs"]
mod pki;
mod place;
mod postgres;
#[path = "../support/posting.rs"]
mod posting;
mod printed;
mod program;
mod prometheus;
#[path = "../support/proxy.rs"]
mod proxy;
#[expect(dead_code, reason = "what is judged here needs less of it than the integration tests")]
#[path = "../support/receiver.rs"]
mod receiver;
#[path = "../support/reference.rs"]
mod reference;
mod replicas;
#[path = "../support/scene.rs"]
mod scene;
mod scripts;
#[expect(dead_code, reason = "the API's judges need less of it than the integration tests")]
#[path = "../support/server.rs"]
mod server;
mod sim;
#[path = "../support/sinks.rs"]
mod sinks;
#[path = "../support/snapshot.rs"]
mod snapshot;
#[expect(dead_code, reason = "what is looked at here are processes, and many targets at once")]
#[path = "../support/stall.rs"]
mod stall;
#[path = "../support/store.rs"]
mod store;
mod systemd;
#[expect(dead_code, reason = "what one daemon shows is looked at by the integration tests")]
#[path = "../support/truth.rs"]
mod truth;
#[path = "../support/turmoil.rs"]
mod turmoil;
#[path = "../support/watch.rs"]
mod watch;
mod webhook;
mod workflows;
