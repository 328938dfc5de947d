//! The examples of RFC 7515, 7519 and 8037.

use tollgate::verify::json::Json;

use super::*;

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                       cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const EXP: u64 = 1_300_819_380;

fn a1() -> (Value, String) {
    let k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1\
             Z9CAow";
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let token = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.{signature}");
    (json!({"kty": "oct", "k": k}), token)
}

fn a2() -> (Value, String) {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ\
             PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
             LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
             Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2\
             PAcDTW9gb54h4FRWyuXpoQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B\
                     h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ\
                     LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d\
                     O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
                     LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{signature}");
    (json!({"kty": "RSA", "n": n, "e": "AQAB"}), token)
}

fn a3() -> (Value, String) {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                     UJqPP3-Kg6NU1Q";
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{signature}");
    (json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), token)
}

#[test]
fn rfc_7515_appendix_a_tokens_verify_until_they_expire() {
    for (jwk, token) in [a1(), a2(), a3()] {
        let policy = trusting(&jwk, "joe");
        let claims = verify(&policy, token.as_bytes(), EXP - 1).unwrap();
        let root = tollgate::template::ClaimRef::Name("http://example.com/is_root".to_owned());
        assert_eq!(claims.get(&root).and_then(Json::as_bool), Some(true));
        let late = verify(&policy, token.as_bytes(), EXP);
        assert_eq!(late.err(), Some(VerifyError::Expired));
    }
}

#[test]
fn a_signature_is_no_other_keys_nor_other_tokens() {
    let vectors = [a1(), a2(), a3()];
    for (key, (jwk, _)) in vectors.iter().enumerate() {
        let policy = trusting(jwk, "joe");
        for (other, (_, token)) in vectors.iter().enumerate() {
            let result = verify(&policy, token.as_bytes(), EXP - 1);
            assert_eq!(result.is_ok(), key == other);
            let (input, _) = token.rsplit_once('.').unwrap();
            for (_, donor) in vectors.iter().filter(|(_, donor)| donor != token) {
                let mixed = format!("{input}.{}", donor.rsplit_once('.').unwrap().1);
                assert!(verify(&policy, mixed.as_bytes(), EXP - 1).is_err());
            }
        }
    }
}

#[test]
fn rfc_7519_unsecured_tokens_are_refused() {
    let (jwk, good) = a1();
    let policy = trusting(&jwk, "joe");
    let signature = good.rsplit_once('.').unwrap().1;
    let unsecured = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    let refused = verify(&policy, unsecured.as_bytes(), EXP - 1).err();
    assert_eq!(refused, Some(VerifyError::AlgorithmNotAllowed));
    let signed = format!("{unsecured}{signature}");
    let refused = verify(&policy, signed.as_bytes(), EXP - 1).err();
    assert_eq!(refused, Some(VerifyError::AlgorithmNotAllowed));
}

#[test]
fn rfc_8037_appendix_a_signature_verifies() {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519",
                     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let compact = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0Jz\
                   lnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(jws(&jwk, Algorithm::EdDsa, compact));
    assert!(!jws(&jwk, Algorithm::EdDsa, &compact.replace("eyJhbGciOiJF", "eyJhbGciOiJG")));
}
