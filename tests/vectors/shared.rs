//! Vectors in the folder `vectors` of [`support::skip::shared`].

use std::collections::BTreeMap;

use support::{json_suite, skip};
use tollgate::verify::json as strict;

use super::*;

#[test]
fn the_jose_cookbook_is_decided_as_stated() {
    let Some(folder) = skip::shared("vectors/ietf-jose-cookbook") else { return };
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    for (name, algorithm) in [
        ("jws/4_1.rsa_v15_signature.json", Algorithm::Rs256),
        ("jws/4_2.rsa-pss_signature.json", Algorithm::Ps384),
        ("jws/4_4.hmac-sha2_integrity_protection.json", Algorithm::Hs256),
        ("curve25519/jws.json", Algorithm::EdDsa),
    ] {
        let vector = read(name);
        let compact = vector["output"]["compact"].as_str().unwrap();
        assert!(jws(&vector["input"]["key"], algorithm, compact), "{name}");
    }

    // The payload is a text, so the verifier stops there; with its own it is a token.
    let nested = read("6.nesting_signatures_and_encryption.json");
    let key = &nested["sign"]["input"]["key"];
    let policy = trusting(key, "hobbiton.example");
    let token = nested["sign"]["output"]["compact"].as_str().unwrap();
    assert!(jws(key, Algorithm::Ps256, token));
    assert!(verify(&policy, token.as_bytes(), 1_300_819_379).is_ok());
    let encrypted = nested["encrypt"]["output"]["compact"].as_str().unwrap();
    let refused = |token: &str| verify(&policy, token.as_bytes(), 1_300_819_379).err().unwrap();
    assert_eq!(refused(encrypted), VerifyError::Shape);
    for serialisation in ["json", "json_flat"] {
        let text = nested["encrypt"]["output"][serialisation].to_string();
        assert_eq!(refused(&text), VerifyError::Shape);
    }

    // A detached payload and an unencoded one are no compact JWS of three parts.
    let detached = read("jws/4_5.signature_with_detached_content.json");
    assert_eq!(refused(detached["output"]["compact"].as_str().unwrap()), VerifyError::Shape);
    let unencoded = read("rfc7797/hmac-sha2_b64_false.json");
    let compact = unencoded["output"]["compact"].as_str().unwrap();
    assert_eq!(refused(compact), VerifyError::CritUnsupported);

    // P-521 waits for a host, and a private key is not taken for a public one.
    for (name, why) in [
        ("jwk/3_2.ec_private_key.json", KeyError::PrivateKey),
        ("jwk/3_4.rsa_private_key.json", KeyError::PrivateKey),
    ] {
        let set = json!({"keys": [read(name)]}).to_string();
        let error = KeySet::parse(set.as_bytes(), SecretKeys::Admit).err().unwrap();
        let KeySetError::NoUsableKey(skipped) = error else { panic!("{error}") };
        assert_eq!(skipped[0].why, why, "{name}");
    }
    let set = json!({"keys": [read("jwk/3_1.ec_public_key.json"),
                              read("jwk/3_3.rsa_public_key.json")]});
    let (keys, skipped) = KeySet::parse(set.to_string().as_bytes(), SecretKeys::Refuse).unwrap();
    assert_eq!((keys.len(), skipped.len()), (2, 0));
    let es512 = read("jws/4_3.ecdsa_signature.json");
    let compact = es512["output"]["compact"].as_str().unwrap();
    let (input, signature) = compact.rsplit_once('.').unwrap();
    let signature = decode(signature.as_bytes()).unwrap();
    assert!(!engine_says(&keys, Algorithm::Es512, input.as_bytes(), &signature));
}

/// Each file as the value of a member, since the reader takes objects alone.
#[test]
fn json_test_suite_is_decided_as_stated() {
    let Some(files) = json_suite::files() else { return };
    let mut counted = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, text) in files {
        let wrapped = [&b"{\"a\":"[..], &text, b"}"].concat();
        let parsed = strict::parse_object(&wrapped).is_some();
        let kind = name[..1].to_owned();
        match kind.as_str() {
            "y" if !parsed && name.starts_with("y_object_duplicated_key") => {}
            "y" if !parsed => wrong.push(name),
            "n" if parsed => wrong.push(name),
            _ => {}
        }
        *counted.entry(kind).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(counted["y"] >= 95 && counted["n"] >= 187, "{counted:?}");
}
