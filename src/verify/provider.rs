//! A provider: who may issue tokens, compiled from one entry of `providers`.

use std::time::Duration;

use crate::template::Template;
use crate::uri::HttpUri;
use crate::verify::algorithm::AlgorithmSet;

/// A configured issuer, the rules its tokens must obey and where its keys come from.
#[derive(Debug)]
pub struct Provider {
    /// The label in rules, metrics, filter state and logs: `[a-z0-9_-]{1,32}`.
    pub name: String,
    /// The exact `iss` values, or templates with `{tenantid}`.
    pub issuers: Vec<Issuer>,
    /// The tenants that a `{tenantid}` issuer admits.
    pub tenants: Tenants,
    /// The `aud` values that are meant for us.
    pub audiences: Audiences,
    /// The algorithms named in the configuration; `None`: every asymmetric one that a key allows.
    pub algorithms: Option<AlgorithmSet>,
    /// Where the key set comes from.
    pub keys: KeysFrom,
    /// Allowed clock difference, seconds.
    pub clock_skew: u64,
    /// Whether a token without `exp` is refused.
    pub require_exp: bool,
    /// The most that `exp - iat` may be, seconds.
    pub max_lifetime: Option<u64>,
    /// The `typ` header values allowed; `None` allows all.
    pub typ: Option<Vec<String>>,
    /// What kind of token is accepted.
    pub token_use: TokenUse,
    /// What the token must be bound to.
    pub bind: Bind,
    /// The identity is the first of these that has a value.
    pub identity: Vec<Template>,
    /// The extra rules of `preset: entra` (per-key issuer, `tid`, audience forms).
    pub entra: bool,
}

/// One entry of `issuers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Compared byte for byte.
    Exact(String),
    /// `prefix` + tenant + `suffix`, from an entry with `{tenantid}`.
    Tenanted {
        /// What stands before the tenant.
        prefix: String,
        /// What stands after the tenant.
        suffix: String,
    },
}

/// Which tenants a `{tenantid}` issuer admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// No issuer has `{tenantid}`.
    None,
    /// The word `any`.
    Any,
    /// These, compared without regard to ASCII case.
    Only(Vec<String>),
}

/// Which `aud` values are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audiences {
    /// The word `any`: `aud` is not judged.
    Any,
    /// At least one must be among the token's, byte for byte.
    Only(Vec<String>),
}

/// `token_use`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// Any token of the issuer.
    Any,
    /// Access tokens alone: one of `scp`, `scope`, `roles` must be there.
    Access,
}

/// `bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// A bearer token.
    None,
    /// RFC 8705: `cnf.x5t#S256` equals the peer certificate's SHA-256.
    Mtls,
}

/// Where a provider's keys come from.
#[derive(Debug)]
pub enum KeysFrom {
    /// A key set known at load: `inline`, or `env` already read.
    Static(crate::verify::keyset::KeySet),
    /// Fetched through an Envoy cluster.
    Remote(Remote),
}

/// `keys.remote`.
#[derive(Clone, Debug)]
pub struct Remote {
    /// What is fetched.
    pub source: RemoteSource,
    /// The Envoy cluster that reaches it.
    pub cluster: String,
    /// The one that reaches a `jwks_uri` on another host than the discovery document; `None`: the
    /// same.
    pub keys_cluster: Option<String>,
    /// How long one fetch may take.
    pub timeout: Duration,
    /// The usual time between fetches; the provider may ask for less, never for more.
    pub refresh_interval: Duration,
    /// The mean time between fetches that unknown kids may cause.
    pub unknown_kid_interval: Duration,
    /// How long the last good keys serve while fetches fail.
    pub max_stale: Duration,
}

/// The address of a remote key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteSource {
    /// The key set itself.
    Uri(HttpUri),
    /// An OpenID Connect discovery document that names it.
    Discovery(HttpUri),
}

impl Remote {
    /// The cluster through which an address is fetched: the discovery document's host and the one
    /// of its `jwks_uri` may be two (Google's are).
    pub fn cluster_of(&self, uri: &HttpUri) -> &str {
        let own = self.source.uri();
        let elsewhere = uri.authority_and_port() != own.authority_and_port();
        self.keys_cluster.as_deref().filter(|_| elsewhere).unwrap_or(&self.cluster)
    }
}

impl RemoteSource {
    /// What is fetched first.
    pub fn uri(&self) -> &HttpUri {
        match self {
            Self::Uri(uri) | Self::Discovery(uri) => uri,
        }
    }
}

impl Issuer {
    /// The issuer as it stands in the configuration.
    pub fn text(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Tenanted { prefix, suffix } => format!("{prefix}{{tenantid}}{suffix}"),
        }
    }
}

#[cfg(test)]
impl Provider {
    /// A provider of tests: one exact issuer, any audience, no clock difference, no other demand.
    pub(crate) fn of(issuer: &str, keys: KeysFrom) -> Self {
        Self {
            name: "p".to_owned(),
            issuers: vec![Issuer::Exact(issuer.to_owned())],
            tenants: Tenants::None,
            audiences: Audiences::Any,
            algorithms: None,
            keys,
            clock_skew: 0,
            require_exp: true,
            max_lifetime: None,
            typ: None,
            token_use: TokenUse::Any,
            bind: Bind::None,
            identity: Vec::new(),
            entra: false,
        }
    }
}
