//! What changes while the server runs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::{connector, localhost};
use super::{House, PATIENCE, TLS, replace, trusting, user};
use crate::pki::Authority;

const HEALTHY: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_open_ones_go_on() {
    let house = House::start(TLS).await;
    let stream = TcpStream::connect(house.running.address).await.expect("a connection");
    let connector = connector(&house.authority, rustls::ALL_VERSIONS);
    let mut open = connector.connect(localhost(), stream).await.expect("a handshake");

    let next = Authority::new("the next authority");
    let pair = next.server();
    // One after the other, as tools do: in between they do not belong together.
    replace(house.folder.path(), "server.crt", &pair.cert);
    house
        .until("the old pair is in force, and the page says so", async || {
            let page =
                house.client(None).get(house.url("/metrics")).send().await.expect("the old certificate");
            page.text().await.expect("a page").contains("\nregwatch_web_config_last_reload_successful 0\n")
        })
        .await;
    replace(house.folder.path(), "server.key", &pair.key);
    house
        .until("the new certificate is shown", async || {
            let client = trusting(&next, None).build().expect("a client");
            match client.get(house.url("/metrics")).send().await {
                Ok(page) => page.text().await.expect("a page").contains("reload_successful 1\n"),
                Err(_) => false,
            }
        })
        .await;
    assert!(house.client(None).get(house.url("/-/healthy")).send().await.is_err(), "the old one is gone");

    open.write_all(HEALTHY).await.expect("it is open");
    let mut answer = [0; 15];
    timeout(PATIENCE, open.read_exact(&mut answer)).await.expect("soon").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn users_come_and_go_and_are_not_remembered() {
    let house = House::start(&format!("basic_auth_users:\n{}", user("old", "right"))).await;
    let ask = async |name: &str| {
        let asking =
            house.running.client.get(house.running.url("/-/healthy")).basic_auth(name, Some("right"));
        asking.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(ask("old").await, 200);
    house.write(&format!(
        "basic_auth_users:\n{}http_server_config: {{headers: {{X-Frame-Options: sameorigin, Content-Security-Policy: }}}}\n",
        user("new", "right")
    ));
    // Only the new one is asked for, or the tries of this address would run out.
    house
        .until("the new user comes in", async || {
            let file = house.folder.path().join("web.yaml");
            assert!(file.exists());
            let answer =
                house.running.client.get(house.running.url("/-/healthy")).send().await.expect("an answer");
            answer.headers().get("x-frame-options").is_some_and(|value| value == "sameorigin")
                && answer.headers().get("content-security-policy").is_none()
        })
        .await;
    assert_eq!((ask("old").await, ask("new").await), (401, 200));
}

#[tokio::test]
async fn no_lock_is_taken_off_while_it_runs() {
    let users = format!("basic_auth_users:\n{}", user("scraper", "right"));
    let all = format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key, \
         client_auth_type: RequireAndVerifyClientCert, client_ca_file: client-ca.crt}}\n{users}"
    );
    let (folder, _) = super::furnished(&all);
    let door = std::sync::Arc::new(super::opened(folder.path(), false));
    assert_eq!(door.reread().await, Ok(()));
    for (less, refusal) in [
        ("", "TLS is switched on and off only at a start"),
        (&*users, "TLS is switched on and off only at a start"),
        (&format!("{TLS}{users}"), "less would be asked of clients' certificates"),
        (all.split("basic_auth").next().expect("the first part"), "no user is left"),
        ("basic_auth_users: {scraper: x}", "no bcrypt hash"),
    ] {
        replace(folder.path(), "web.yaml", less);
        let error = door.reread().await.expect_err("it is refused").to_string();
        assert!(error.contains(refusal), "{error}");
    }
    std::fs::remove_file(folder.path().join("web.yaml")).expect("it is there");
    let error = door.reread().await.expect_err("there is none").to_string();
    assert!(error.contains("web.yaml") && error.contains("No such file"), "{error}");
    replace(folder.path(), "web.yaml", &all);
    assert_eq!(door.reread().await, Ok(()));
}
