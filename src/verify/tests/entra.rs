//! Entra ID: tenants, per-key issuers, audiences and the kind of token.

use super::*;
use crate::verify::provider::{Tenants, TokenUse};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "11111111-2222-3333-4444-555555555555";

fn entra() -> Provider {
    let tenanted = |prefix: &str, suffix: &str| Issuer::Tenanted {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    Provider {
        issuers: vec![
            tenanted("https://login.microsoftonline.com/", "/v2.0"),
            tenanted("https://sts.windows.net/", "/"),
        ],
        tenants: Tenants::Only(vec![TENANT.to_uppercase()].into()),
        audiences: Audiences::Only(vec![format!("api://{TENANT}")].into()),
        token_use: TokenUse::Access,
        entra: true,
        ..provider()
    }
}

fn entra_claims() -> Value {
    json!({
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "tid": TENANT, "aud": TENANT, "exp": NOW + 300, "scp": "score.invoke",
    })
}

#[test]
fn two_tenants_of_one_issuer_can_be_two_providers() {
    let tenants = |tenant: &str| Tenants::Only(vec![tenant.to_owned()].into());
    let providers = vec![
        Provider { tenants: tenants(OTHER_TENANT), ..entra() },
        Provider { tenants: tenants(TENANT), ..entra() },
    ]
    .into();
    let keys = Sets(vec![Some(key_set(json!({}))), Some(key_set(json!({})))]);
    let token = mint(json!({"alg": "HS256"}), &entra_claims().to_string());
    let run = |admitted| run(&providers, &keys, &token, admitted, Moment::from_secs(NOW));
    assert_eq!(run(None).unwrap().provider(), 1);
    let refused = (VerifyError::TenantNotAllowed, Some(0));
    assert_eq!(run(Some(&[0])).unwrap_err(), refused);
    // If no provider admits the tenant, the failure names the first one.
    let stranger = |_| Provider { tenants: tenants(OTHER_TENANT), ..entra() };
    let strangers = [0, 1].map(stranger).into_iter().collect::<Vec<_>>().into();
    let nobody = self::run(&strangers, &keys, &token, None, Moment::from_secs(NOW));
    assert_eq!(nobody.unwrap_err(), refused);
}

#[test]
fn entra_tokens_are_judged_by_what_microsoft_documents() {
    use VerifyError::*;
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let other = format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0");
    for (change, error) in [
        (json!({}), None),
        (json!({"iss": v1}), None),
        (json!({"aud": format!("api://{TENANT}")}), None),
        (json!({"scp": null, "roles": ["r"]}), None),
        (json!({"scp": null, "scope": "s"}), None),
        (json!({"tid": TENANT.to_uppercase()}), None),
        (json!({"tid": null}), Some(ClaimMissing("tid"))),
        (json!({"tid": 1}), Some(ClaimMalformed("tid"))),
        (json!({"tid": "common"}), Some(ClaimMalformed("tid"))),
        (json!({"tid": OTHER_TENANT}), Some(TenantNotAllowed)),
        (json!({"iss": other}), Some(TenantNotAllowed)),
        (json!({"aud": OTHER_TENANT}), Some(AudienceMismatch)),
        (json!({"scp": null}), Some(TokenUseMismatch)),
        (json!({"scp": " "}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": []}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": [""]}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": {"a": 1}}), Some(TokenUseMismatch)),
    ] {
        assert_eq!(one(entra(), with(entra_claims(), change.clone())).err(), error, "{change}");
    }
    // An exact issuer also contains its tenant.
    let issuers = vec![Issuer::Exact(format!("https://sts.windows.net/{TENANT}/"))];
    let exact = || Provider { issuers: issuers.clone(), tenants: Tenants::None, ..entra() };
    let claims = |tid: &str| with(entra_claims(), json!({"iss": v1, "tid": tid}));
    assert!(one(exact(), claims(TENANT)).is_ok());
    assert_eq!(one(exact(), claims(OTHER_TENANT)).err(), Some(TenantNotAllowed));
}

#[test]
fn an_entra_key_signs_for_its_own_issuer_alone() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let own = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let other = format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0");
    let refused = Some(VerifyError::IssuerNotAllowed);
    let other_v1 = format!("https://sts.windows.net/{OTHER_TENANT}/");
    let exact = |issuers: &[&String]| Provider {
        issuers: issuers.iter().map(|iss| Issuer::Exact(iss.to_string())).collect(),
        tenants: Tenants::None,
        ..entra()
    };
    let v2_alone =
        || Provider { issuers: entra().issuers.into_iter().take(1).collect(), ..entra() };
    let v1_alone =
        || Provider { issuers: entra().issuers.into_iter().skip(1).collect(), ..entra() };
    for (key_issuer, iss, provider, error) in [
        (template, own.as_str(), entra(), None),
        (own.as_str(), own.as_str(), entra(), None),
        (other.as_str(), own.as_str(), entra(), refused),
        // The common key set names the v2.0 issuer and signs v1.0 tokens, and the reverse.
        (template, v1.as_str(), entra(), None),
        (own.as_str(), v1.as_str(), entra(), None),
        ("https://sts.windows.net/{tenantid}/", own.as_str(), entra(), None),
        (other.as_str(), v1.as_str(), entra(), refused),
        (other_v1.as_str(), own.as_str(), entra(), refused),
        (template, own.as_str(), v2_alone(), None),
        (template, v1.as_str(), v1_alone(), refused),
        (template, v1.as_str(), exact(&[&v1, &own]), None),
        (template, v1.as_str(), exact(&[&v1, &other]), refused),
        (other.as_str(), v1.as_str(), exact(&[&v1, &other]), refused),
        ("https://login.microsoftonline.us/{tenantid}/v2.0", own.as_str(), entra(), refused),
        ("https://login.microsoftonline.com/{tenantid}/{tenantid}", own.as_str(), entra(), refused),
        ("{tenantid}", own.as_str(), entra(), refused),
        ("", own.as_str(), entra(), refused),
        (other.as_str(), own.as_str(), Provider { entra: false, ..entra() }, None),
    ] {
        let provider = Provider { audiences: Audiences::Any, ..provider };
        let token =
            mint(json!({"alg": "HS256"}), &with(entra_claims(), json!({"iss": iss})).to_string());
        let keys = Sets(vec![Some(key_set(json!({"issuer": key_issuer})))]);
        let result = run(&vec![provider].into(), &keys, &token, None, Moment::from_secs(NOW));
        assert_eq!(result.err().map(|(error, _)| error), error, "{key_issuer} {iss}");
    }
}
