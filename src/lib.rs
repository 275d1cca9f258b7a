//! regwatch watches, for every AWS account it is told of, what AWS tells only to those who ask.

pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod http;
pub mod liveness;
pub mod metrics;
pub mod model;
pub mod poller;
pub mod probe;
pub mod schedule;
pub mod sim;
pub mod telemetry;
pub mod tracker;
