//! TLS: what is spoken, and which clients are let in.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{House, PATIENCE, TLS, furnished};
use crate::pki::{Authority, Pair};

/// A configuration with more keys in `tls_server_config`.
fn tls(more: &str) -> String {
    format!("tls_server_config: {{cert_file: server.crt, key_file: server.key, {more}}}\n")
}

/// A client that trusts an authority and speaks some versions.
pub(super) fn connector(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config).into()
}

pub(super) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

async fn shake_hands(
    house: &House,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(house.running.address).await.expect("a connection");
    let shaking = connector(&house.authority, versions).connect(localhost(), stream);
    timeout(PATIENCE, shaking).await.expect("soon")
}

const OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const NEW: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[tokio::test]
async fn answers_are_those_of_http_and_the_end_is_said() {
    let house = House::start(TLS).await;
    for versions in [OLD, NEW] {
        let mut stream = shake_hands(&house, versions).await.expect("both are spoken");
        let (_, session) = stream.get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream
            .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("room");
        let mut answer = Vec::new();
        // Without a close_notify this would be an error.
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("soon").expect("an end that is said");
        assert!(answer.ends_with(b"regwatch is healthy\n"), "{answer:?}");
    }
    let answer = house.client(None).get(house.url("/metrics")).send().await.expect("an answer");
    let page = answer.text().await.expect("a page");
    assert!(page.contains("\nregwatch_web_config_last_reload_successful 1\n"), "{page}");
    assert!(page.contains("\nregwatch_web_certificate_not_after_timestamp_seconds 32503593600\n"), "{page}");
}

#[tokio::test]
async fn versions_and_suites_are_those_of_the_configuration() {
    let house = House::start(&tls("min_version: TLS13")).await;
    assert!(shake_hands(&house, OLD).await.is_err());
    assert!(shake_hands(&house, NEW).await.is_ok());

    let suites = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    let more = format!("max_version: TLS12, cipher_suites: [{suites}], curve_preferences: [CurveP384]");
    let house = House::start(&tls(&more)).await;
    assert!(shake_hands(&house, NEW).await.is_err());
    let stream = shake_hands(&house, OLD).await.expect("it is spoken");
    let (_, session) = stream.get_ref();
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = session.negotiated_cipher_suite().expect("one").suite();
    assert_eq!(
        suite,
        rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "the server's first"
    );
    let group = session.negotiated_key_exchange_group().expect("one").name();
    assert_eq!(group, rustls::NamedGroup::secp384r1);
}

#[tokio::test]
async fn plain_http_is_told_that_it_is() {
    let house = House::start(TLS).await;
    let answer = house.running.client.get(house.running.url("/metrics")).send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
    let text = answer.text().await.expect("all of it");
    assert_eq!(text, "HTTPS is spoken here, and this was plain HTTP; ask for an https:// URL.\n");
}

#[tokio::test]
async fn clients_show_a_certificate_of_the_authority() {
    let house =
        House::start(&tls("client_auth_type: RequireAndVerifyClientCert, client_ca_file: client-ca.crt"))
            .await;
    let ask = async |own: Option<&Pair>| {
        let answer = house.client(own).get(house.url("/-/healthy")).send().await;
        answer.map(|answer| answer.status().as_u16()).ok()
    };
    assert_eq!(ask(Some(&house.authority.client("spiffe://a/scraper"))).await, Some(200));
    assert_eq!(ask(None).await, None);
    assert_eq!(ask(Some(&Authority::new("an authority").client("spiffe://a/scraper"))).await, None);
    assert_eq!(ask(Some(&house.authority.server())).await, None, "it is no client's");
}

#[tokio::test]
async fn a_certificate_that_need_not_be_shown_has_to_be_right_if_it_is() {
    let house =
        House::start(&tls("client_auth_type: VerifyClientCertIfGiven, client_ca_file: client-ca.crt")).await;
    for (own, comes_in) in [
        (None, true),
        (Some(house.authority.client("spiffe://a/b")), true),
        (Some(Authority::new("another").client("spiffe://a/b")), false),
    ] {
        let answer = house.client(own.as_ref()).get(house.url("/-/healthy")).send().await;
        assert_eq!(answer.is_ok(), comes_in);
    }
}

#[tokio::test]
async fn clients_have_a_name_from_the_list() {
    let house =
        House::start(&tls("client_auth_type: RequireAndVerifyClientCert, client_ca_file: client-ca.crt, \
         client_allowed_sans: ['spiffe://a/scraper', 'localhost']"))
        .await;
    for (name, comes_in) in
        [("spiffe://a/scraper", true), ("spiffe://a/scraper2", false), ("localhost", true)]
    {
        let own = house.authority.client(name);
        let answer = house.client(Some(&own)).get(house.url("/-/healthy")).send().await;
        assert_eq!(answer.is_ok(), comes_in, "{name}");
    }
}

#[tokio::test]
async fn every_mistake_of_the_files_is_told_and_no_key() {
    let (folder, authority) =
        furnished(&tls("client_auth_type: RequireAndVerifyClientCert, client_ca_file: none"));
    let path = folder.path().join("web.yaml");
    let mistakes = || {
        let error = regwatch::http::Door::open(&path, false, regwatch::clock::Clock::System);
        error.expect_err("it has mistakes").to_string().replace(folder.path().to_str().expect("text"), "F")
    };
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n";
    std::fs::write(folder.path().join("server.key"), key).expect("it can be written");
    std::fs::write(folder.path().join("server.crt"), "").expect("it can be written");
    let (pem, at) = ("give one in PEM, from BEGIN", "F/web.yaml");
    assert_eq!(
        mistakes(),
        format!(
            "{at}: `cert_file` F/server.crt holds no certificate; {pem} CERTIFICATE to END CERTIFICATE
{at}: `key_file` F/server.key holds no private key; {pem} PRIVATE KEY to END PRIVATE KEY
{at}: `client_ca_file` F/none cannot be read: No such file or directory (os error 2)"
        )
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    authority.server().write(folder.path(), "server");
    std::fs::write(folder.path().join("server.key"), encrypted).expect("it can be written");
    std::fs::write(&path, TLS).expect("it can be written");
    let right = "and nobody is here to type its password; decrypt it";
    assert_eq!(mistakes(), format!("{at}: `key_file` F/server.key is encrypted, {right}"));
    std::fs::write(folder.path().join("server.key"), authority.server().key).expect("it can be written");
    let pair = "does not belong to `cert_file` F/server.crt; give both of a pair";
    assert_eq!(mistakes(), format!("{at}: `key_file` F/server.key {pair}"));
}
