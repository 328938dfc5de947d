//! A provider: an issuer of tokens, compiled from one entry of `providers`.

use std::time::Duration;

use super::algorithm::AlgorithmSet;
use super::keyset::KeySet;
use crate::lookup::Texts;
use crate::template::Template;
use crate::uri::HttpUri;

/// A configured issuer, the rules for its tokens and the source of its keys.
#[derive(Debug)]
pub struct Provider {
    /// The label in rules, metrics, filter state and logs: `[a-z0-9_-]{1,32}`.
    pub name: String,
    /// The exact `iss` values, or templates with `{tenantid}`.
    pub issuers: Vec<Issuer>,
    /// The admitted tenants of `{tenantid}` issuers.
    pub tenants: Tenants,
    /// The accepted `aud` values.
    pub audiences: Audiences,
    /// The configured algorithms; `None` accepts every asymmetric algorithm that a key allows.
    pub algorithms: Option<AlgorithmSet>,
    /// The source of the key set.
    pub keys: KeysFrom,
    /// The tolerated clock difference in seconds.
    pub clock_skew: u64,
    /// Whether a token without `exp` is refused.
    pub require_exp: bool,
    /// The maximum of `exp - iat` in seconds.
    pub max_lifetime: Option<u64>,
    /// The accepted `typ` header values; `None` accepts all.
    pub typ: Option<Vec<String>>,
    /// The accepted kind of token.
    pub token_use: TokenUse,
    /// The required binding of the token.
    pub bind: Bind,
    /// The templates of the identity. The first one that has a value applies.
    pub identity: Vec<Template>,
    /// Whether the extra rules of `preset: entra` apply (issuer of a key, `tid`, forms of `aud`).
    pub entra: bool,
}

/// One entry of `issuers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Compared byte for byte.
    Exact(String),
    /// `prefix` + tenant + `suffix`, from an entry with `{tenantid}`.
    Tenanted {
        /// The text before the tenant.
        prefix: String,
        /// The text after the tenant.
        suffix: String,
    },
}

/// The tenants that a `{tenantid}` issuer admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// No issuer has `{tenantid}`.
    None,
    /// The word `any`.
    Any,
    /// These; ASCII case does not count.
    Only(Texts),
}

/// The accepted `aud` values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audiences {
    /// The word `any`: `aud` is not checked.
    Any,
    /// The token must contain at least one of these, byte for byte.
    Only(Texts),
}

/// `token_use`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// Any token of the issuer.
    Any,
    /// Only access tokens: one of `scp`, `scope`, `roles` must be present.
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

/// The source of a provider's keys.
#[derive(Debug)]
pub enum KeysFrom {
    /// A key set of the configuration: `inline` or `env`.
    Static(KeySet),
    /// Fetched through an Envoy cluster.
    Remote(Remote),
}

/// `keys.remote`.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The document to fetch.
    pub source: RemoteSource,
    /// The Envoy cluster for the request.
    pub cluster: String,
    /// The Envoy cluster for a `jwks_uri` on another host than the discovery document; `None`: the
    /// same cluster.
    pub keys_cluster: Option<String>,
    /// The timeout of one fetch.
    pub timeout: Duration,
    /// The time between fetches; the provider can shorten it, but not lengthen it.
    pub refresh_interval: Duration,
    /// The mean time between fetches that unknown `kid`s cause.
    pub unknown_kid_interval: Duration,
    /// How long the last good keys stay in use while fetches fail.
    pub max_stale: Duration,
}

/// The address of a remote key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteSource {
    /// The key set itself.
    Uri(HttpUri),
    /// An OpenID Connect discovery document that names the key set.
    Discovery(HttpUri),
}

impl Remote {
    /// The cluster for a fetch of `uri`. The hosts of a discovery document and of its `jwks_uri` can
    /// differ, as Google's do.
    pub fn cluster_of(&self, uri: &HttpUri) -> &str {
        let own = self.source.uri();
        let elsewhere = uri.authority_and_port() != own.authority_and_port();
        self.keys_cluster.as_deref().filter(|_| elsewhere).unwrap_or(&self.cluster)
    }
}

impl RemoteSource {
    /// The address that is fetched first.
    pub fn uri(&self) -> &HttpUri {
        match self {
            Self::Uri(uri) | Self::Discovery(uri) => uri,
        }
    }
}

impl Issuer {
    /// The placeholder of the tenant.
    pub const TENANT: &str = "{tenantid}";

    /// The issuer of a text in the configuration.
    pub fn of(text: &str) -> Self {
        match text.split_once(Self::TENANT) {
            Some((prefix, suffix)) => {
                Self::Tenanted { prefix: prefix.to_owned(), suffix: suffix.to_owned() }
            }
            None => Self::Exact(text.to_owned()),
        }
    }

    /// The text in the configuration.
    pub fn text(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Tenanted { prefix, suffix } => [prefix, Self::TENANT, suffix].concat(),
        }
    }
}

#[cfg(test)]
impl Provider {
    /// A provider for tests: one exact issuer, any audience, no clock difference, no further rules.
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
