//! The certificate of the public listeners: rustls with ring's ciphers, replaced while connections go on.

use std::sync::{Arc, RwLock};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig as Rustls,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

use super::{Digest, GuardError, error, reloaded};
use crate::TlsConfig;

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    certified: Arc<CertifiedKey>,
    /// What tells it from another one.
    print: Digest,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Certificate {
    /// Reads both files, and whether they belong together.
    pub(super) fn read(config: &TlsConfig) -> Result<Self, GuardError> {
        let (cert, key) = (error::read(&config.cert_file)?, error::read(&config.key_file)?);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(cert.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| GuardError::wrong(&config.cert_file, "it is no PEM"))?;
        if chain.is_empty() {
            return Err(GuardError::wrong(&config.cert_file, "it has no certificate"));
        }
        let no_key = || GuardError::wrong(&config.key_file, "it has no private key that can be used");
        let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| no_key())?;
        let private = ring::sign::any_supported_type(&private).map_err(|_| no_key())?;
        let certified = CertifiedKey::new(chain, private);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let why = format_args!("it is not the key of {}", config.cert_file.display());
                return Err(GuardError::wrong(&config.key_file, why));
            }
            Err(_) => return Err(GuardError::wrong(&config.cert_file, "its certificate cannot be read")),
        }
        let print = Digest::of(&format!("{cert}\0{key}"));
        Ok(Self { certified: Arc::new(certified), print })
    }
}

/// Gives each new connection the certificate that holds.
#[derive(Debug, Default)]
pub(super) struct Present(RwLock<Option<Arc<Certificate>>>);

impl Present {
    /// Whether another certificate holds from now on.
    pub(super) fn replace(&self, certificate: Option<Certificate>) -> bool {
        super::replace(&self.0, certificate)
    }
}

impl ResolvesServerCert for Present {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        reloaded(&self.0).map(|certificate| certificate.certified.clone())
    }
}

/// Speaks TLS 1.2 and 1.3, and lets clients choose between HTTP/2 and HTTP/1.1.
pub(super) struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor(..)")
    }
}

impl Acceptor {
    /// Shows each client the certificate that is present when it comes.
    pub(super) fn new(present: Arc<Present>) -> Self {
        Self(acceptor(present))
    }

    pub(super) fn get(&self) -> TlsAcceptor {
        self.0.clone()
    }
}

fn acceptor(present: Arc<Present>) -> TlsAcceptor {
    let mut config = Rustls::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for both versions")
        .with_no_client_auth()
        .with_cert_resolver(present);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_certificate_is_refused_with_the_file_that_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (directory.path().join("cert"), directory.path().join("key"));
        let config = TlsConfig { cert_file: cert_file.clone(), key_file: key_file.clone() };
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let read = |cert: &str, key: &str| {
            fs::write(&cert_file, cert).unwrap();
            fs::write(&key_file, key).unwrap();
            let told = |error: GuardError| error.to_string().replace(&format!("{}/", directory.path().display()), "");
            Certificate::read(&config).map_err(told)
        };
        let (pem, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let good = read(&pem, &key).unwrap();
        assert_eq!(good, read(&pem, &key).unwrap());
        let foreign = read(&pem, &other.signing_key.serialize_pem()).unwrap_err();
        assert!(foreign.starts_with("key: it is not the key of "), "{foreign}");
        assert_eq!(read("", &key).unwrap_err(), "cert: it has no certificate");
        assert_eq!(read(&pem, "").unwrap_err(), "key: it has no private key that can be used");
        assert_eq!(read(&pem, &pem).unwrap_err(), "key: it has no private key that can be used");
        fs::remove_file(&key_file).unwrap();
        assert!(Certificate::read(&config).unwrap_err().to_string().starts_with("cannot use "));
        assert!(!format!("{good:?}").contains("PRIVATE"));
    }
}
