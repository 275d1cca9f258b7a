//! regwatch watches, for every AWS account it is told of, what AWS tells only to those who ask: whether
//! AWS IoT FleetWise has the account registered, and what became of its linked GovCloud account.
//!
//! # The way of the data
//!
//! ```text
//! config ─► targets ─► grouped by quota scope ─► one poller a scope
//!                                                  │ due queue → pace → probe (AWS) → report
//!                                                  ▼ bounded channel
//!                                                tracker: the only owner of state
//!                                  compare, publish │ write state and events in one transaction
//!                    watch channel: the snapshot ◄──┴──► store: states, event log, cursors
//!                                       ▼                  ▼ each from its own cursor
//!          metrics (written at the scrape) ◄── http ──► event stream, sinks: log, webhooks
//! ```
//!
//! It flows one way. Pollers know nothing of state, the tracker nothing of AWS, and readers never ask:
//! they look. What the page shows does not wait for the store; what a sink delivers does.
//!
//! Whose accounts those are may be found as well: `discovery` lists organizations at the pace of their own
//! quota scopes, and `daemon` makes another fleet of what has changed.
//!
//! # Generations
//!
//! The configuration can change while all this goes on. A new one is a generation: read and opened as a whole,
//! or refused as a whole, it then takes over from the one before, part by part against the way of the data:
//! the tracker first, which translates what is still said of the generation before, then credentials, then
//! the pollers. What stays the same keeps its state, its place in time, its credentials and its backoff.
//! `daemon` leads a generation in; each part knows how to go over by itself (`adopt`).
//!
//! # Replicas
//!
//! Several processes may share a store in PostgreSQL. Whatever one at a time may do is a lease there: a shard of
//! the quota scopes, a sink, keeping house. `lease` keeps a fair share of them and says what is held, and until
//! when that is certain; the fleet of a generation is the part of the whole whose shards are held, so a change of
//! hands is one more generation. Each write names the claim it is made under, and `store` refuses one that is
//! stale. `mirror` puts together what this replica knows and what the others have written, for the page and the
//! API. With SQLite there is nobody else, and none of this is at work.
//!
//! # The rooms
//!
//! A file imports only from lower layers, or from rooms that stand before its own in the same layer.
//!
//! | layer | rooms |
//! |-|-|
//! | 0, pure | [`model`]: the values; [`schedule`]: the decisions; [`clock`]: wall time; [`liveness`]: whether the loops turn |
//! | 1 | [`config`]: the file, validated, and the fleet that it names; [`reload`]: the wish to read it anew |
//! | 2, edges | [`aws`]: clients and credentials; [`probe`]: the calls; [`store`]: what outlives the process; [`sink`]: where events go; [`metrics`]: the page; [`http`]: the server, its door, the pages and the API |
//! | 3 | [`lease`]: the loop that keeps what one replica at a time may do; [`poller`], [`discovery`] and [`tracker`]: the loops that ask AWS, for states and for accounts, and the one that keeps what they tell; [`mirror`]: the one that knows what the others hold |
//! | 4 | [`service`]: what the service manager is told; [`daemon`]: wiring, supervision, the ordered end |
//! | 5 | [`telemetry`]: the log; [`cli`]: what a person types |
//! | beside | [`sim`]: a simulated AWS, for the tests and the demo |
//!
//! # Invariants
//!
//! - Only `tracker` changes state.
//! - Only `probe` and `aws` name the AWS SDK.
//! - Only `daemon` starts long-lived tasks, and it joins each; `http` and `sim` start one a connection.
//! - `http` cannot reach a poller.
//! - A target is never asked by two at once, whatever the configuration does; nor by two replicas of the same
//!   one, but for a call that was begun before a process was stopped and goes out when it is woken.
//! - Wall time is read by `clock` alone.
//! - Nothing but the demo names `sim`.
//!
//! A test reads the sources and holds them to the table and to these.

pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod discovery;
pub mod http;
pub mod lease;
pub mod liveness;
pub mod metrics;
pub mod mirror;
pub mod model;
pub mod poller;
pub mod probe;
pub mod reload;
pub mod schedule;
pub mod service;
pub mod sim;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod tracker;
