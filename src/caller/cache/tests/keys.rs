//! Key sets of other providers than the token's.

use super::*;

/// The keys of the policy, of which those of the second provider have this version.
struct Second<'a>(&'a Policy, u64);

impl Keys for Second<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        keys_of(self.0, provider)
    }

    fn version(&self, provider: usize) -> Option<u64> {
        Some(if provider == 1 { self.1 } else { 0 })
    }
}

#[test]
fn other_keys_of_a_provider_that_refused_the_token_count_unless_it_refused_the_content() {
    let (policy, good) = (policy(), token("alice", json!({})));
    for (error, counts) in [
        (VerifyError::TypeNotAllowed, true),
        (VerifyError::AlgorithmNotAllowed, true),
        (VerifyError::IssuerNotAllowed, true),
        (VerifyError::KeyUnknown, true),
        (VerifyError::TooManyKeys, true),
        (VerifyError::SignatureInvalid, true),
        (VerifyError::TenantNotAllowed, false),
        (VerifyError::AudienceMismatch, false),
        (VerifyError::Expired, false),
        (VerifyError::TokenUseMismatch, false),
        (VerifyError::Unidentified(None), false),
    ] {
        let cache = TokenCache::new(SETTINGS, 42);
        let keys = [Second(&policy, 1), Second(&policy, 2)];
        let look = |keys| cache.look(good.as_bytes(), 0, &policy.providers, keys, NOW);
        let Known::Nothing(place) = look(&keys[0]) else { panic!("known already") };
        let refused = [Attempt { provider: 1, error }];
        let caller = (&caller(&policy, &good, NOW), &refused[..]);
        cache.verified(place, caller, &policy.providers[0], &keys[0], NOW);
        assert!(matches!(look(&keys[0]), Known::Verified(_)), "{error}");
        assert_eq!(matches!(look(&keys[1]), Known::Nothing(_)), counts, "{error}");
    }
}
