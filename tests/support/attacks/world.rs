//! The world under attack: providers with keys of every kind, and the signers behind them.

use serde_json::{Value, json};

use super::super::mint::{self, Signer};

/// `token.max_bytes` of the world: the default.
pub const MAX_BYTES: usize = 16 * 1024;

/// The one tenant that the provider `entra` admits.
pub use super::super::entra::TENANT;

/// The signers of each provider; their good tokens are accepted.
pub struct World {
    /// `main`: RSA with `alg: RS256`; its kid is also one of `partner`'s.
    pub rsa: Signer,
    /// `main`: RSA without `alg` or `use`.
    pub rsa_noalg: Signer,
    /// `main`: RSA with `alg: PS256`.
    pub pss: Signer,
    /// `main`: EC P-256.
    pub p256: Signer,
    /// `main`: EC P-384.
    pub p384: Signer,
    /// `main`: EC secp256k1.
    pub k256: Signer,
    /// `main`: OKP Ed25519.
    pub ed: Signer,
    /// `machine`, the provider that names HS256.
    pub hs: Signer,
    /// `partner`: another key under the kid of `rsa`.
    pub partner: Signer,
    /// `strict`: ES256 alone, `typ: at+jwt`, tokens of at most an hour.
    pub strict: Signer,
    /// `strict`: an RSA key in its set that no named algorithm fits.
    pub strict_rsa: Signer,
    /// `entra`: a key for any tenant.
    pub entra: Signer,
    /// `entra`: a key whose `issuer` is a tenant of its own.
    pub entra_bound: Signer,
    /// No provider's keys, by algorithm: RS256, ES256, ES384, ES256K, EdDSA.
    pub attackers: Vec<Signer>,
}

impl World {
    /// Fresh keys all around.
    pub fn new() -> World {
        World {
            rsa: Signer::new("RS256", "rsa"),
            rsa_noalg: Signer::new("RS256", "rsa-noalg"),
            pss: Signer::new("PS256", "pss"),
            p256: Signer::new("ES256", "p256"),
            p384: Signer::new("ES384", "p384"),
            k256: Signer::new("ES256K", "k256"),
            ed: Signer::new("EdDSA", "ed"),
            hs: Signer::new("HS256", "hs"),
            partner: Signer::new("RS256", "partner").with_kid("rsa"),
            strict: Signer::new("ES256", "strict-ec"),
            strict_rsa: Signer::new("RS256", "strict-rsa"),
            entra: Signer::new("RS256", "entra"),
            entra_bound: Signer::new("RS256", "entra-bound"),
            attackers: ["RS256", "ES256", "ES384", "ES256K", "EdDSA"]
                .map(|algorithm| Signer::new(algorithm, "attacker"))
                .to_vec(),
        }
    }

    /// The keys of `main`, but for `pss`.
    pub fn main(&self) -> [&Signer; 6] {
        [&self.rsa, &self.rsa_noalg, &self.p256, &self.p384, &self.k256, &self.ed]
    }

    /// The attacker's key for this algorithm.
    pub fn attacker(&self, algorithm: &str) -> &Signer {
        self.attackers.iter().find(|signer| signer.algorithm() == algorithm).unwrap()
    }

    /// The key set that `main` publishes.
    pub fn main_jwks(&self) -> Value {
        let mut jwks = mint::jwks(&self.main());
        let members = jwks["keys"][1].as_object_mut().unwrap();
        members.remove("alg");
        members.remove("use");
        jwks["keys"].as_array_mut().unwrap().push(self.pss.jwk());
        jwks
    }

    /// The `providers` of the configuration.
    pub fn providers(&self) -> Value {
        json!([
            {"name": "main", "issuers": [mint::ISSUER], "audiences": [mint::AUDIENCE],
             "keys": {"inline": self.main_jwks()}},
            {"name": "machine", "issuers": [MACHINE], "audiences": [mint::AUDIENCE],
             "algorithms": ["HS256"], "keys": {"inline": mint::jwks(&[&self.hs])}},
            {"name": "partner", "issuers": [PARTNER], "audiences": [mint::AUDIENCE],
             "keys": {"inline": mint::jwks(&[&self.partner])}},
            {"name": "strict", "issuers": [STRICT], "audiences": [mint::AUDIENCE],
             "algorithms": ["ES256"], "typ": ["at+jwt"], "max_lifetime": "1h",
             "keys": {"inline": mint::jwks(&[&self.strict, &self.strict_rsa])}},
        ])
    }

    /// The providers that [`super::tenants`] aims at, for a configuration that knows presets.
    pub fn entra_providers(&self) -> Value {
        let mut entra_keys = mint::jwks(&[&self.entra, &self.entra_bound]);
        entra_keys["keys"][0]["issuer"] =
            json!("https://login.microsoftonline.com/{tenantid}/v2.0");
        entra_keys["keys"][1]["issuer"] =
            json!("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0");
        json!([
            {"name": "entra", "preset": "entra", "tenants": [TENANT],
             "audiences": [mint::AUDIENCE], "keys": {"inline": entra_keys}},
        ])
    }

    /// Tokens that must pass: without them a filter that refuses everything would look perfect.
    pub fn controls(&self) -> Vec<(&'static str, String)> {
        let claims = mint::claims("someone");
        let no_kid =
            |signer: &Signer| signer.sign_with(json!({"alg": signer.algorithm()}), &claims);
        let mut many = claims.clone();
        many["aud"] = json!(["other", mint::AUDIENCE]);
        let mut float = claims.clone();
        float["exp"] = json!(mint::now() as f64 + 600.5);
        vec![
            ("rsa", self.rsa.sign(&claims)),
            ("rsa without alg in its key", self.rsa_noalg.sign(&claims)),
            ("rsa without alg, RS384", self.rsa_noalg.with_algorithm("RS384").sign(&claims)),
            ("pss", self.pss.sign(&claims)),
            ("pss without kid", no_kid(&self.pss)),
            ("p256", self.p256.sign(&claims)),
            ("p384", self.p384.sign(&claims)),
            ("k256", self.k256.sign(&claims)),
            ("ed25519", self.ed.sign(&claims)),
            ("rsa without kid", no_kid(&self.rsa)),
            ("p256 without kid", no_kid(&self.p256)),
            ("one audience of two", self.rsa.sign(&many)),
            ("fractional exp", self.rsa.sign(&float)),
            ("hmac", self.hs.sign(&of(MACHINE))),
            ("the partner under the same kid", self.partner.sign(&of(PARTNER))),
            (
                "strict",
                self.strict.sign_with(
                    json!({"alg": "ES256", "typ": "at+jwt", "kid": self.strict.kid()}),
                    &of(STRICT),
                ),
            ),
        ]
    }

    /// The same for [`World::entra_providers`].
    pub fn entra_controls(&self) -> Vec<(&'static str, String)> {
        vec![("entra", self.entra.sign(&entra(TENANT, TENANT)))]
    }
}

/// The issuer of `machine`.
pub const MACHINE: &str = "https://machine.test";
/// The issuer of `partner`.
pub const PARTNER: &str = "https://partner.test";
/// The issuer of `strict`.
pub const STRICT: &str = "https://strict.test";

/// Ordinary claims of another issuer.
pub fn of(issuer: &str) -> Value {
    let mut claims = mint::claims("someone");
    claims["iss"] = json!(issuer);
    claims
}

/// Claims of an Entra v2 access token: the tenant in `iss`, and `tid`.
pub fn entra(issuer_tenant: &str, tid: &str) -> Value {
    let mut claims = of(&format!("https://login.microsoftonline.com/{issuer_tenant}/v2.0"));
    claims["tid"] = json!(tid);
    claims["oid"] = json!("00000000-0000-0000-0000-000000000001");
    claims["scp"] = json!("score.invoke");
    claims
}
