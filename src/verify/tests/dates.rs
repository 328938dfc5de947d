//! `exp`, `nbf`, `iat` and the lifetime of a token.

use super::*;

#[test]
fn expired_token_is_refused_at_exp_plus_skew_and_not_a_nanosecond_before() {
    let at = |exp: Value, now| {
        one_at(provider(), json!({"alg": "HS256"}), with(good(), json!({ "exp": exp })), now)
    };
    let half = Duration::from_millis(500);
    let end = Moment::from_secs(NOW + 60);
    assert!(at(json!(NOW), end - NANO).is_ok());
    assert_eq!(at(json!(NOW), end).err(), Some(VerifyError::Expired));
    assert!(at(json!(NOW as f64 + 0.5), end + half - NANO).is_ok());
    assert_eq!(at(json!(NOW as f64 + 0.5), end + half).err(), Some(VerifyError::Expired));
    let far = at(json!(253_402_300_799u64), Moment::MAX).unwrap();
    assert_eq!(far.expires(&provider()), Some(Moment::MAX));
    let mut patient = provider();
    patient.clock_skew = u64::MAX;
    assert!(one_at(patient, json!({"alg": "HS256"}), good(), Moment::MAX).is_ok());
}

#[test]
fn remembered_claims_expire_too() {
    let claims = one(provider(), good()).unwrap();
    let end = claims.expires(&provider()).unwrap();
    assert_eq!(claims.check_times(&provider(), end - NANO), Ok(()));
    assert_eq!(claims.check_times(&provider(), end), Err(VerifyError::Expired));
}

#[test]
fn lifetime_is_bounded_where_it_is_configured() {
    let bounded = || Provider { max_lifetime: Some(3600), require_exp: false, ..provider() };
    let lifetime = |claims: Value| one(bounded(), with(good(), claims)).err();
    assert_eq!(lifetime(json!({"iat": NOW, "exp": NOW + 3600})), None);
    let longer = lifetime(json!({"iat": NOW, "exp": NOW + 3601}));
    assert_eq!(longer, Some(VerifyError::LifetimeTooLong));
    assert_eq!(lifetime(json!({})), Some(VerifyError::ClaimMissing("iat")));
    let no_exp = lifetime(json!({"exp": null, "iat": NOW}));
    assert_eq!(no_exp, Some(VerifyError::ClaimMissing("exp")));
    let lax = Provider { require_exp: false, ..provider() };
    assert!(one(lax, with(good(), json!({"exp": null}))).is_ok());
}

#[test]
fn a_date_before_1970_is_past_and_no_bound_is_below_it() {
    let never_set = [json!(-62_135_596_800_i64), json!(-1), json!(-0.5), json!(-1e300), json!(0)];
    for date in never_set {
        for name in ["nbf", "iat"] {
            let change = json!({ name: date });
            assert!(one(provider(), with(good(), change.clone())).is_ok(), "{change}");
        }
        let lax = Provider { require_exp: false, ..provider() };
        let expired = one(lax, with(good(), json!({"exp": date}))).err();
        assert_eq!(expired, Some(VerifyError::Expired), "{date}");
        // With any bound: such an `iat` does not tell when the token was issued.
        for most in [3600, u64::MAX] {
            let bounded = Provider { max_lifetime: Some(most), ..provider() };
            let lifetime = one(bounded, with(good(), json!({"iat": date}))).err();
            let fails = most == 3600 || date != json!(0);
            assert_eq!(lifetime.is_some(), fails, "{date} {most}");
            assert!(lifetime.is_none_or(|error| error == VerifyError::LifetimeTooLong), "{date}");
        }
    }
}
