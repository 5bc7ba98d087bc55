//! Which Secret holds what: written by the chart, read here.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Everything that a release wants to have made.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The Secret of the authority (`ca.crt`, `ca.key`); without it no certificates are made.
    #[serde(default)]
    pub(super) authority: Option<String>,
    /// Life of a certificate.
    #[serde(default = "quarter")]
    pub(super) certificate_days: u32,
    /// Identities and their Secrets (`tls.crt`, `tls.key`, `ca.crt`).
    #[serde(default)]
    pub(super) certificates: Vec<Named>,
    /// Who signs tokens, and their Secrets (`jwt.key`).
    #[serde(default)]
    pub(super) service_keys: Vec<Named>,
    /// The Secret of all public halves (`<service>.pem`).
    #[serde(default)]
    pub(super) public_keys: Option<String>,
    /// What the cluster calls the services.
    #[serde(default)]
    pub(super) names: Option<Names>,
    /// Passwords and what is made of them.
    #[serde(default)]
    pub(super) texts: Vec<Text>,
}

const fn quarter() -> u32 {
    90
}

/// An identity and its Secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) secret: String,
}

/// As `devstack::ClusterNames`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) prefix: String,
    pub(super) namespace: String,
    pub(super) cluster_domain: String,
}

/// One key of a Secret: random and kept, or a text in which `{password}` stands for a password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) secret: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) random: bool,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) password: Option<At>,
}

/// A key of a Secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    pub(super) secret: String,
    pub(super) key: String,
}

impl Plan {
    /// Every Secret that is read or filled.
    pub(super) fn secrets(&self) -> BTreeSet<&str> {
        let named = self.certificates.iter().chain(&self.service_keys);
        let texts = self.texts.iter().flat_map(|text| {
            let of = text.password.as_ref().map(|at| at.secret.as_str());
            std::iter::once(text.secret.as_str()).chain(of)
        });
        named
            .map(|named| named.secret.as_str())
            .chain(self.authority.as_deref())
            .chain(self.public_keys.as_deref())
            .chain(texts)
            .collect()
    }
}
