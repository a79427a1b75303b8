//! Authorities and certificates: what the system of these tests trusts, and what only a company does.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};

use crate::{amazon, azure, google};

/// Where the second run of this program finds them.
pub(crate) const FOLDER: &str = "FARQUORUM_TEST_CERTIFICATES";

/// A certificate and its key in the folder: `NAME.pem`, `NAME.key`.
#[derive(Clone, Copy)]
pub(crate) enum Holder {
    /// The clouds' names and localhost, signed by the authority that the system trusts.
    Clouds,
    /// A company's store at localhost, signed by the company's own authority.
    Company,
    /// The same, but not valid any more.
    Expired,
    /// Signed by itself.
    ItsOwn,
    /// Signed by itself, and marked as an authority's, as `openssl req -x509` makes them.
    Authority,
}

impl Holder {
    const ALL: [Self; 5] = [Self::Clouds, Self::Company, Self::Expired, Self::ItsOwn, Self::Authority];

    fn name(self) -> &'static str {
        match self {
            Self::Clouds => "clouds",
            Self::Company => "company",
            Self::Expired => "expired",
            Self::ItsOwn => "its-own",
            Self::Authority => "authority-itself",
        }
    }

    pub(crate) fn certificate(self) -> PathBuf {
        file(&format!("{}.pem", self.name()))
    }

    pub(crate) fn key(self) -> PathBuf {
        file(&format!("{}.key", self.name()))
    }
}

/// The authority that the system trusts.
pub(crate) fn of_the_system(folder: &Path) -> PathBuf {
    folder.join("system-ca.pem")
}

/// The authority of the company.
pub(crate) fn of_the_company() -> PathBuf {
    file("company-ca.pem")
}

/// Something in the folder.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(&std::env::var_os(FOLDER).unwrap()).join(name)
}

/// Makes all of them.
pub(crate) fn make(folder: &Path) {
    let (system, company) = (authority("System"), authority("Company"));
    std::fs::write(of_the_system(folder), system.pem()).unwrap();
    std::fs::write(folder.join("company-ca.pem"), company.pem()).unwrap();
    for holder in Holder::ALL {
        let mut params = CertificateParams::new(names(holder)).unwrap();
        params.distinguished_name = named("store");
        let key = KeyPair::generate().unwrap();
        let certificate = match holder {
            Holder::Clouds => params.signed_by(&key, &system),
            Holder::Company => params.signed_by(&key, &company),
            Holder::Expired => {
                params.not_after = rcgen::date_time_ymd(2020, 1, 1);
                params.signed_by(&key, &company)
            }
            Holder::ItsOwn => params.self_signed(&key),
            Holder::Authority => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params.self_signed(&key)
            }
        };
        let of = |end: &str| folder.join(format!("{}.{end}", holder.name()));
        std::fs::write(of("pem"), certificate.unwrap().pem()).unwrap();
        std::fs::write(of("key"), key.serialize_pem()).unwrap();
    }
}

fn names(holder: Holder) -> Vec<String> {
    let clouds: &[&str] = match holder {
        Holder::Clouds => &[amazon::HOST, google::HOST, google::TOKENS, azure::HOST],
        _ => &[],
    };
    clouds.iter().chain(&["localhost"]).map(|name| (*name).to_owned()).collect()
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
