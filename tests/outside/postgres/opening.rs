//! What is wrong with a database, or with the way to it, is told when the store is opened: what, where, and
//! what to do, and never the URL.

use std::error::Error;
use std::fs;

use regwatch::config;
use regwatch::config::TlsMode;
use regwatch::store::StoreError;

use super::server::{OWNER, Server};
use super::*;
use crate::pki::Authority;
use crate::place::{Place, settings};
use crate::store::{append, events, numbers};

/// What is said when it is opened.
async fn refused(postgres: config::Postgres) -> String {
    let refused = Store::open(&settings(postgres)).await.expect_err("it is refused");
    let mut told = refused.to_string();
    let mut error: &dyn Error = &refused;
    while let Some(source) = error.source() {
        told = format!("{told}: {source}");
        error = source;
    }
    let debug = format!("{refused:?}");
    for text in [&told, &debug] {
        assert!(
            !text.contains("hunter2") && !text.replace("postgres://USER", "").contains("postgres://"),
            "{text}"
        );
    }
    told
}

fn closed(at: &str, why: &str) -> String {
    format!(
        "the store in PostgreSQL at {at} cannot be opened; mend what it names and try again: the store could not \
         be used: {why}"
    )
}

#[tokio::test]
async fn a_url_that_leads_nowhere() {
    let server = Server::shared().await;
    let mut missing = server.settings("", "fleet");
    missing.url_file = "/nowhere/postgres.url".into();
    assert_eq!(
        refused(missing).await,
        "`store.postgres.url_file` /nowhere/postgres.url cannot be read: No such file or directory (os error 2)"
    );
    let wrong = server.settings("keeper:hunter2", "fleet");
    let expected = format!(
        "`store.postgres.url_file` {} holds no URL of PostgreSQL; write it as \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        wrong.url_file.display()
    );
    assert_eq!(refused(wrong).await, expected);
    let nobody = server.settings("postgres://keeper:hunter2@127.0.0.1:1/fleet", "fleet");
    let expected = closed("127.0.0.1:1 (database fleet)", "Connection refused (os error 111)");
    assert_eq!(refused(nobody).await, expected);
    let url = format!("postgres://{OWNER}:hunter2@127.0.0.1:{}/fleet", server.port);
    let expected = closed(
        &format!("127.0.0.1:{} (database fleet)", server.port),
        "database \"fleet\" does not exist (SQLSTATE 3D000)",
    );
    assert_eq!(refused(server.settings(&url, "fleet")).await, expected);
}

#[tokio::test]
async fn a_password_that_is_wrong_and_one_that_is_changed() {
    let server = Server::shared().await;
    let schema = server.name("secret");
    server.run(&format!("CREATE ROLE keeper_secret LOGIN PASSWORD 'first'; CREATE SCHEMA {schema} AUTHORIZATION keeper_secret")).await;
    let url = |password| format!("postgres://keeper_secret:{password}@127.0.0.1:{}/postgres", server.port);
    let at = format!("127.0.0.1:{} (database postgres)", server.port);
    let why = "password authentication failed for user \"keeper_secret\" (SQLSTATE 28P01)";
    assert_eq!(refused(server.settings(&url("hunter2"), &schema)).await, closed(&at, why));

    let right = server.settings(&url("first"), &schema);
    let store = Store::open(&settings(right.clone())).await.unwrap();
    append(&store, events(1)).await;
    let drop_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper_secret'";
    server.run(&format!("ALTER ROLE keeper_secret PASSWORD 'second'; {drop_all}")).await;
    let error = store.events(&regwatch::store::EventQuery::after(0, 1)).await.unwrap_err();
    assert_eq!(error.reason().as_str(), "refused", "{error}");
    fs::write(&right.url_file, url("second")).unwrap();
    assert_eq!(numbers(&store).await, [1]);
}

#[tokio::test]
async fn rights_that_are_missing() {
    let server = Server::shared().await;
    let at = format!("127.0.0.1:{} (database postgres)", server.port);
    server.run("CREATE ROLE \"the guest\" LOGIN").await;
    let guest = |schema: &str| server.settings_at(server.port, "the%20guest", schema);
    assert_eq!(
        refused(guest("fleet_guest")).await,
        format!(
            "there is no schema fleet_guest in PostgreSQL at {at}, and \"the guest\" may not make it; let an \
             administrator run: CREATE SCHEMA fleet_guest AUTHORIZATION \"the guest\""
        )
    );
    let place = Place::new().await;
    place.open().await;
    let schema = place.schema();
    assert_eq!(
        refused(guest(schema)).await,
        format!(
            "\"the guest\" may not use what is in schema {schema} of PostgreSQL at {at}; let an administrator run: \
             ALTER SCHEMA {schema} OWNER TO \"the guest\", and the same of its tables"
        )
    );
    server.run("CREATE SCHEMA fleet_guest AUTHORIZATION \"the guest\"").await;
    append(&Store::open(&settings(guest("fleet_guest"))).await.unwrap(), events(1)).await;
}

#[tokio::test]
async fn a_schema_of_another_program() {
    let server = Server::shared().await;
    server.run("CREATE SCHEMA theirs; CREATE TABLE theirs.orders (a int)").await;
    let expected = format!(
        "schema theirs of PostgreSQL at 127.0.0.1:{} (database postgres) holds tables of another program, such as \
         orders; it was left as it is: name another in `store.postgres.schema`",
        server.port
    );
    assert_eq!(refused(server.settings_at(server.port, OWNER, "theirs")).await, expected);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_or_not_every_text() {
    let server = Server::start("").await;
    server.run("CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on").await;
    server.run("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0").await;
    let at = format!("127.0.0.1:{} (database postgres)", server.port);
    let read_only = |why| {
        format!(
            "PostgreSQL at {at} takes no writes: {why}; name the one that does in `store.postgres.url_file`"
        )
    };
    let reader = server.settings_at(server.port, "reader", "fleet");
    assert_eq!(refused(reader).await, read_only("default_transaction_read_only is on"));
    let bytes = format!("postgres://{OWNER}@127.0.0.1:{}/bytes", server.port);
    assert_eq!(
        refused(server.settings(&bytes, "fleet")).await,
        format!(
            "the database at 127.0.0.1:{} (database bytes) is encoded as SQL_ASCII; the store needs one in UTF8: \
             make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
            server.port
        )
    );
    server.down();
    server.write("data/standby.signal", "");
    server.up().await;
    let follower = server.settings_at(server.port, OWNER, "fleet");
    assert_eq!(refused(follower).await, read_only("it follows another server"));
}

#[tokio::test]
async fn connections_that_are_protected() {
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let server = Server::start("listen_addresses = '127.0.0.1, 127.0.0.2'\nssl = off").await;
    let pair = trusted.server();
    let cert = server.write("server.crt", &pair.cert);
    let key = server.write("server.key", &pair.key);
    let [trusted, other] = [("trusted.pem", &trusted.pem), ("other.pem", &other.pem)].map(|(name, pem)| {
        let path = server.write(name, pem);
        Some(path)
    });
    let with = |host: &str, tls, ca_file: &Option<std::path::PathBuf>| {
        let url = format!("postgres://{OWNER}:hunter2@{host}:{}/postgres", server.port);
        config::Postgres { tls, ca_file: ca_file.clone(), ..server.settings(&url, "fleet") }
    };
    let at = |host| format!("{host}:{} (database postgres)", server.port);
    let open = async |postgres| Store::open(&settings(postgres)).await.unwrap();
    // What is local needs no protection, unless somebody says who is to vouch for it.
    append(&open(with("127.0.0.1", None, &None)).await, events(1)).await;
    let unprotected = closed(&at("127.0.0.1"), "server does not support TLS");
    assert_eq!(refused(with("127.0.0.1", None, &trusted)).await, unprotected);
    assert_eq!(refused(with("127.0.0.1", Some(TlsMode::Require), &None)).await, unprotected);

    server.down();
    server.configure(&format!(
        "listen_addresses = '127.0.0.1, 127.0.0.2'\nssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'",
        cert.display(),
        key.display()
    ));
    server.up().await;
    for postgres in [
        with("127.0.0.1", None, &trusted),
        with("localhost", Some(TlsMode::VerifyFull), &trusted),
        with("127.0.0.2", Some(TlsMode::Require), &None),
    ] {
        append(&open(postgres).await, events(1)).await;
    }
    let why = "invalid peer certificate: UnknownIssuer";
    assert_eq!(refused(with("127.0.0.1", None, &other)).await, closed(&at("127.0.0.1"), why));
    let system = with("127.0.0.1", Some(TlsMode::VerifyFull), &None);
    assert_eq!(refused(system).await, closed(&at("127.0.0.1"), why));
    let told = refused(with("127.0.0.2", None, &trusted)).await;
    assert!(
        told.contains("invalid peer certificate: certificate not valid for name \"127.0.0.2\""),
        "{told}"
    );
    let none = Some(server.write("none.pem", "no certificate"));
    let path = none.as_deref().unwrap().display().to_string();
    let expected = format!("`store.postgres.tls.ca_file` {path} holds no certificates in PEM");
    assert_eq!(refused(with("127.0.0.1", None, &none)).await, expected);
}

#[tokio::test]
async fn a_socket_leads_to_it_too() {
    let server = Server::shared().await;
    let folder = server.socket().display().to_string().replace('/', "%2F");
    let url = format!("postgres://{OWNER}@{folder}:{}/postgres", server.port);
    let schema = server.name("socket");
    append(&Store::open(&settings(server.settings(&url, &schema))).await.unwrap(), events(1)).await;
}

#[tokio::test]
async fn all_replicas_deal_alike() {
    let place = Place::new().await;
    let store = place.open().await;
    let me = replica("regwatch-0");
    take(&store, &me, &[Lease::House], LONG).await;
    let mut other = place.settings.postgres.clone().unwrap();
    other.shards = 8;
    let expected = format!(
        "the replica regwatch-0 is at work on schema {} of PostgreSQL at 127.0.0.1:{} (database postgres) with 16 \
         shards; `store.postgres.shards` is 8 here: set it to 16, or end every replica first",
        place.schema(),
        place.server.port
    );
    assert_eq!(refused(other.clone()).await, expected);
    store.leave(&me.id).await.unwrap();
    Store::open(&settings(other)).await.unwrap();
    let error = store.renew(&me, &[], &[], LONG).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("another `store.postgres.shards` was set"), "{error}");
}
