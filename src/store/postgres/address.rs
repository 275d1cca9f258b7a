//! Where the database is, and how a connection to it is made.
//!
//! The URL is read anew for each connection, so that a password that was changed is used from then on.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::refusal::Refusal;
use super::trouble::Failed;
use crate::config::{self, DatabaseHost, DatabaseUrl, TlsMode};
use crate::store::{StoreError, Trouble};

/// Where the database is.
pub(super) struct Address {
    settings: config::Postgres,
    /// Who may vouch for the server, in PEM.
    roots: Arc<[u8]>,
    pub(super) schema: String,
}

/// Without what may be secret.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads what every connection needs.
    pub(super) fn new(settings: &config::Postgres) -> Result<Self, Refusal> {
        let roots = match (&settings.ca_file, settings.tls) {
            (_, Some(TlsMode::Require | TlsMode::Disable)) => Vec::new(),
            (Some(path), _) => {
                let unusable = |wrong: String| Refusal::Authority { path: path.clone(), wrong };
                let pem =
                    std::fs::read(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
                let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
                let found = found.ok().filter(|found| !found.is_empty());
                let found = found.ok_or_else(|| unusable("holds no certificates in PEM".to_owned()))?;
                pem_of(&found)
            }
            (None, _) => pem_of(&rustls_native_certs::load_native_certs().certs),
        };
        Ok(Self { settings: settings.clone(), roots: roots.into(), schema: settings.schema.clone() })
    }

    /// What the file says now.
    pub(super) fn url(&self) -> Result<DatabaseUrl, Refusal> {
        let path = &self.settings.url_file;
        let unusable = |wrong: String| Refusal::Url { path: path.clone(), wrong };
        let text =
            std::fs::read_to_string(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
        DatabaseUrl::parse(text.trim()).map_err(unusable)
    }

    /// Makes a connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failed> {
        let url = self.url().map_err(|refusal| StoreError::Unusable {
            trouble: Trouble::Refused,
            detail: refusal.to_string(),
        })?;
        Ok(PgConnection::connect_with(&self.options(&url)).await?)
    }

    fn options(&self, url: &DatabaseUrl) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .port(url.port)
            .username(&url.user)
            .password(url.password.expose())
            .database(&url.database)
            .application_name(&url.application)
            // A pooler need not know it, and no number of ours has a fraction.
            .extra_float_digits(None)
            .disable_statement_logging();
        let options = match &url.host {
            DatabaseHost::Tcp(host) => options.host(host),
            DatabaseHost::Socket(folder) => options.socket(folder),
        };
        // What never leaves the machine needs no protection, unless somebody says who vouches for it.
        let needs_none = url.is_local() && self.settings.ca_file.is_none();
        let default = if needs_none { TlsMode::Disable } else { TlsMode::VerifyFull };
        match self.settings.tls.unwrap_or(default) {
            TlsMode::VerifyFull => {
                options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(self.roots.to_vec())
            }
            TlsMode::Require => options.ssl_mode(PgSslMode::Require),
            TlsMode::Disable => options.ssl_mode(PgSslMode::Disable),
        }
    }
}

/// Those certificates that can vouch for somebody. One that cannot would keep all others from it.
fn pem_of(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let mut roots = RootCertStore::empty();
    let good = certificates.iter().filter(|&certificate| roots.add(certificate.clone().into_owned()).is_ok());
    let pem = |certificate: &CertificateDer<'_>| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
    };
    good.map(pem).collect::<String>().into_bytes()
}
