//! Certificates: an authority of the test's own, and what it signs.

use std::{
    fs,
    net::IpAddr,
    ops::Range,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// The years in which certificates are valid, unless a test says otherwise.
pub const VALID: Range<i32> = 2020..2120;
/// Years that are over.
pub const EXPIRED: Range<i32> = 2020..2021;

/// A certificate authority, with its files.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key, in PKCS #8.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority that keeps its files in a folder.
    ///
    /// # Panics
    ///
    /// If the files cannot be written.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("make the authority's folder");
        let mut parameters = parameters("hep tests", &VALID);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let own = parameters.self_signed(&key).expect("sign an authority");
        let authority = Self {
            issuer: Issuer::new(parameters, key),
            folder: folder.to_owned(),
        };
        write(&authority.certificate(), &own.pem());
        authority
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Signs a server's certificate for an address and `localhost`. A later one of the same name replaces it.
    ///
    /// # Panics
    ///
    /// If the files cannot be written.
    pub fn server(&self, name: &str, address: IpAddr, years: &Range<i32>) -> Identity {
        // etcd's gateway is a client of its own server.
        let usages = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let names = vec![address.to_string(), "localhost".to_owned()];
        self.sign(name, names, &usages, years)
    }

    /// Signs a client's certificate, whose common name is the user's.
    ///
    /// # Panics
    ///
    /// If the files cannot be written.
    pub fn client(&self, user: &str, years: &Range<i32>) -> Identity {
        self.sign(
            user,
            Vec::new(),
            &[ExtendedKeyUsagePurpose::ClientAuth],
            years,
        )
    }

    fn sign(
        &self,
        name: &str,
        names: Vec<String>,
        usages: &[ExtendedKeyUsagePurpose],
        years: &Range<i32>,
    ) -> Identity {
        let mut parameters = parameters(name, years);
        let named = CertificateParams::new(names).expect("addresses and names");
        parameters.subject_alt_names = named.subject_alt_names;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = usages.to_vec();
        let key = key();
        let signed = parameters.signed_by(&key, &self.issuer);
        let identity = Identity {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        write(
            &identity.certificate,
            &signed.expect("sign a certificate").pem(),
        );
        write(&identity.key, &key.serialize_pem());
        identity
    }
}

/// Writes a new private key in PKCS #8 and its public key, as an issuer of tokens has them.
///
/// # Panics
///
/// If the files cannot be written.
pub(super) fn write_key_pair(private: &Path, public: &Path) {
    let key = key();
    write(private, &key.serialize_pem());
    write(public, &key.public_key_pem());
}

fn parameters(name: &str, years: &Range<i32>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(years.start, 1, 1);
    parameters.not_after = date_time_ymd(years.end, 1, 1);
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn key() -> KeyPair {
    KeyPair::generate().expect("make a key")
}

/// Replaces a file whole, since a server may read it at any moment.
fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
