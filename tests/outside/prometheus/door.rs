//! Prometheus comes in through the door: over TLS with a password, and with a certificate of its own. Its
//! own tool takes what the door is configured with.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};

use super::server::Server;
use crate::demo;
use crate::judge::{as_python_reads, assert_promtool_is_content};
use crate::pki::Authority;

const EXAMPLE: &str = include_str!("../../../deploy/web-config.example.yaml");

/// How long a change may take to be noticed.
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder with everything that a web configuration may name, and the authority behind it.
fn furnished(web: &str) -> (TempDir, Authority) {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("the authority");
    authority.server().write(folder.path(), "server");
    fs::write(folder.path().join("client-ca.crt"), &authority.pem).expect("it can be written");
    fs::write(folder.path().join("web.yaml"), web).expect("it can be written");
    (folder, authority)
}

fn assert_promtool_takes(web_config: &Path) {
    let said =
        Command::new("promtool").args(["check", "web-config"]).arg(web_config).output().expect("installed");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// How a job comes in: whom it trusts, and what more it brings along.
fn job(folder: &Path, trusted: &str, tls: &str, more: &str) -> String {
    let ca = folder.join(trusted).display().to_string();
    format!("scheme: https, tls_config: {{ca_file: '{ca}'{tls}}}, {more}")
}

async fn until_up(prometheus: &Server) {
    prometheus.until("the door is open for it", "up == 1", |found| !found.is_empty()).await;
}

/// Waits until a scrape has failed in a way.
async fn until_refused(prometheus: &Server, why: &[&str]) {
    let began = Instant::now();
    loop {
        let targets: Value = prometheus.api("targets").await;
        let error = targets["activeTargets"][0]["lastError"].as_str().unwrap_or_default();
        if why.iter().any(|why| error.contains(why)) {
            assert_eq!(prometheus.query("up == 1").await.len(), 0);
            return;
        }
        assert!(began.elapsed() < PATIENCE, "never refused for {why:?}: {targets}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn promtool_takes_the_example() {
    let (folder, _) = furnished(EXAMPLE);
    assert_promtool_takes(&folder.path().join("web.yaml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_in_over_tls_with_a_password_and_sees_a_new_certificate() {
    let hash = bcrypt::hash("right", 10).expect("a hash");
    let web = format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\nbasic_auth_users: {{prometheus: {hash}}}\n"
    );
    let (folder, authority) = furnished(&web);
    let folder = folder.path();
    let web = folder.join("web.yaml");
    assert_promtool_takes(&web);
    let demo = demo::start_behind(Some(&web)).await;
    let by = |password: &str| format!("basic_auth: {{username: prometheus, password: {password}}}, ");
    let right = Server::start(&demo.url, &job(folder, "client-ca.crt", "", &by("right"))).await;
    until_up(&right).await;
    let wrong = Server::start(&demo.url, &job(folder, "client-ca.crt", "", &by("wrong"))).await;
    until_refused(&wrong, &["401"]).await;

    let next = Authority::new("the next authority");
    fs::write(folder.join("next-ca.crt"), &next.pem).expect("it can be written");
    let trusting_next = Server::start(&demo.url, &job(folder, "next-ca.crt", "", &by("right"))).await;
    until_refused(&trusting_next, &["x509"]).await;
    next.server().write(folder, "server");
    until_up(&trusting_next).await;
    // Its connection is an open one.
    until_up(&right).await;

    let root = reqwest::Certificate::from_pem(next.pem.as_bytes()).expect("a certificate");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    let url = demo.url.replace("http:", "https:") + "/metrics";
    let page = client.get(url).basic_auth("prometheus", Some("right")).send().await.expect("an answer");
    let page = page.text().await.expect("a page");
    assert_promtool_is_content(&page);
    let shown = as_python_reads(&page);
    assert!(shown.contains_key("regwatch_web_certificate_not_after_timestamp_seconds"), "{shown:?}");
    assert!(authority.pem != next.pem);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_in_with_a_certificate_of_its_own() {
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key, \
               client_auth_type: RequireAndVerifyClientCert, client_ca_file: client-ca.crt}\n";
    let (folder, authority) = furnished(web);
    let folder = folder.path();
    authority.client("spiffe://example.com/prometheus").write(folder, "scraper");
    Authority::new("another authority").client("spiffe://example.com/prometheus").write(folder, "stranger");
    let web = folder.join("web.yaml");
    assert_promtool_takes(&web);
    let demo = demo::start_behind(Some(&web)).await;
    let with = |name: &str| {
        let [cert, key] =
            ["crt", "key"].map(|end| folder.join(format!("{name}.{end}")).display().to_string());
        job(folder, "client-ca.crt", &format!(", cert_file: '{cert}', key_file: '{key}'"), "")
    };
    until_up(&Server::start(&demo.url, &with("scraper")).await).await;
    until_refused(&Server::start(&demo.url, &with("stranger")).await, &["tls: ", "broken pipe", "reset"])
        .await;
    let without = job(folder, "client-ca.crt", "", "");
    until_refused(&Server::start(&demo.url, &without).await, &["tls: ", "broken pipe", "reset"]).await;
}
