//! Where a store of a test's own is: in a schema.

use std::sync::Arc;
use std::time::Duration;

use regwatch::config;
use regwatch::store::Store;

use crate::postgres::server::{OWNER, Server};

/// A schema of a test's own, and the settings of a store in it.
pub(crate) struct Place {
    pub(crate) server: Arc<Server>,
    pub(crate) settings: config::Store,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::on(Server::shared().await)
    }

    /// On a server of a test's own.
    pub(crate) fn on(server: Arc<Server>) -> Self {
        let postgres = server.settings_at(server.port, OWNER, &server.name("schema"));
        Self { server, settings: settings(postgres) }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.settings).await.expect("it opens")
    }

    /// The name of the schema.
    pub(crate) fn schema(&self) -> &str {
        &self.settings.postgres.as_ref().expect("it is there").schema
    }

    /// The same schema through another port, which leads to the server.
    pub(crate) fn through(&self, port: u16) -> config::Store {
        settings(self.server.settings_at(port, OWNER, self.schema()))
    }

    /// Runs statements in the schema.
    pub(crate) async fn run(&self, sql: &str) {
        self.server.run(&format!("SET search_path TO {}; {sql}", self.schema())).await;
    }
}

/// Settings of a store in a database.
pub(crate) fn settings(postgres: config::Postgres) -> config::Store {
    config::Store {
        path: None,
        postgres: Some(postgres),
        retention: Duration::from_hours(90 * 24),
        max_events: 1_000_000,
    }
}
