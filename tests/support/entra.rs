//! Claims and key sets as of Microsoft Entra ID, with keys of the mint.

use serde_json::{Value, json};

use super::mint::Signer;
use super::scenario::{claims_with, merged};

/// A tenant.
pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// The `oid` of [`claims`].
pub const OBJECT: &str = "cccccccc-2222-3333-4444-555555555555";

/// The `iss` of the v2.0 tokens of a tenant.
pub fn issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// The claims of a v2.0 access token that a user of a tenant got, with some changed; `null` removes
/// a claim.
pub fn claims(tenant: &str, changes: Value) -> Value {
    let entra = json!({
        "iss": issuer(tenant), "tid": tenant, "oid": OBJECT, "ver": "2.0", "scp": "score.invoke",
    });
    claims_with("pairwise", merged(entra, changes))
}

/// The public key of a signer as one that signs for this issuer alone.
pub fn jwk(signer: &Signer, issuer: &str) -> Value {
    merged(signer.jwk(), json!({"issuer": issuer}))
}

/// The key set of all tenants, with the key of this signer.
pub fn keys(signer: &Signer) -> Value {
    json!({"keys": [jwk(signer, &issuer("{tenantid}"))]})
}
