//! The whole daemon, in this process, against the simulated AWS over HTTP.

mod config;
mod tidy;
