//! From certificates and keys to what rustls serves with.

use std::borrow::Cow;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, SupportedCipherSuite, version};

use super::client;
use crate::config::{ClientAuth, ClientCa, Source, Tls};

/// What is spoken inside: [`crate::http`] says why.
const ALPN: &[u8] = b"http/1.1";

/// How connections are encrypted.
#[derive(Debug)]
pub(super) struct Encryption {
    pub(super) config: Arc<ServerConfig>,
    /// When the first of its certificates expires, in seconds since 1970.
    pub(super) not_after: i64,
}

/// Reads certificates and keys.
///
/// # Errors
/// Everything that is wrong with them: the key of the configuration, the file, and what would be right.
pub(super) fn read(tls: &Tls) -> Result<Encryption, Vec<String>> {
    let mut problems = Vec::new();
    let chain = keep(certificates("cert", &tls.cert), &mut problems);
    let key = keep(private_key(&tls.key), &mut problems);
    let provider = Arc::new(provider(tls));
    let (roots, allowed_sans) = match &tls.client_auth {
        ClientAuth::None => (None, None),
        ClientAuth::IfGiven(ClientCa { source, allowed_sans })
        | ClientAuth::Required(ClientCa { source, allowed_sans }) => {
            (keep(roots(source), &mut problems), allowed_sans.clone())
        }
    };
    let (Some(chain), Some(key), true) = (chain, key, problems.is_empty()) else { return Err(problems) };
    let not_after = not_after(&chain).ok_or_else(|| vec![unusable(named("cert", &tls.cert))])?;

    let versions: Vec<_> = tls
        .versions
        .iter()
        .map(|version| match version {
            ProtocolVersion::TLSv1_2 => &version::TLS12,
            _ => &version::TLS13,
        })
        .collect();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|_| {
            vec!["`cipher_suites` has none for the `max_version`; add some of TLS 1.2".to_owned()]
        })?;
    let asks_clients = roots.is_some();
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match tls.client_auth {
                ClientAuth::IfGiven(_) => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier.build().expect("there are authorities, and no lists of revocations");
            builder.with_client_cert_verifier(match allowed_sans {
                Some(names) => Arc::new(client::Named::new(verifier, names)),
                None => verifier,
            })
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        let (cert, key) = (named("cert", &tls.cert), named("key", &tls.key));
        vec![match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("{key} does not belong to {cert}; give both of a pair")
            }
            error => format!("{cert} with {key} cannot be used: {error}"),
        }]
    })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ignore_client_order = tls.prefer_server_cipher_suites;
    if asks_clients {
        // A session that is resumed would not look at the client's certificate again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Encryption { config: Arc::new(config), not_after })
}

/// What was asked for, or a note of why it is not there.
fn keep<T>(outcome: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    outcome.map_err(|problem| problems.push(problem)).ok()
}

/// The suites and groups that are chosen, of all that there are.
fn provider(tls: &Tls) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(chosen) = &tls.cipher_suites {
        let all = std::mem::take(&mut provider.cipher_suites);
        let is_new = |suite: &SupportedCipherSuite| matches!(suite, SupportedCipherSuite::Tls13(_));
        provider.cipher_suites.extend(all.iter().filter(|suite| is_new(suite)));
        for suite in chosen {
            let found = all.iter().find(|known| known.suite() == *suite && !is_new(known));
            provider.cipher_suites.extend(found);
        }
    }
    if let Some(chosen) = &tls.curves {
        let all = std::mem::take(&mut provider.kx_groups);
        for group in chosen {
            provider.kx_groups.extend(all.iter().find(|known| known.name() == *group));
        }
    }
    provider
}

/// What a message calls a key and its file.
fn named(key: &str, source: &Source) -> String {
    match source {
        Source::Here(_) => format!("`{key}`"),
        Source::File(path) => format!("`{key}_file` {}", path.display()),
    }
}

fn text<'s>(key: &str, source: &'s Source) -> Result<Cow<'s, [u8]>, String> {
    match source {
        Source::Here(text) => Ok(text.expose().as_bytes().into()),
        Source::File(path) => match std::fs::read(path) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(format!("{} cannot be read: {error}", named(key, source))),
        },
    }
}

/// At least one certificate.
fn certificates(key: &str, source: &Source) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text(key, source)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(read) if !read.is_empty() => Ok(read),
        _ => Err(unusable(named(key, source))),
    }
}

fn unusable(what: String) -> String {
    format!("{what} holds no certificate; give one in PEM, from BEGIN CERTIFICATE to END CERTIFICATE")
}

/// Why it cannot be read is not told: the parser would quote from it.
fn private_key(source: &Source) -> Result<PrivateKeyDer<'static>, String> {
    let text = text("key", source)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let what = named("key", source);
        if text.windows(9).any(|part| part == b"ENCRYPTED") {
            return format!("{what} is encrypted, and nobody is here to type its password; decrypt it");
        }
        format!("{what} holds no private key; give one in PEM, from BEGIN PRIVATE KEY to END PRIVATE KEY")
    })
}

fn roots(source: &Source) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", source)? {
        roots
            .add(certificate)
            .map_err(|error| format!("{} cannot be used: {error}", named("client_ca", source)))?;
    }
    Ok(roots)
}

/// When the first of some certificates expires; `None` if one cannot be read.
fn not_after(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let expiries = chain.iter().map(|certificate| {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    expiries.collect::<Option<Vec<_>>>()?.into_iter().min()
}
