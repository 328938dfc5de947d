//! Tests the verifier of a host with signatures that are known to be good: public keys and
//! signatures of Project Wycheproof (`rsa_signature_2048_*_test` no. 2, `ecdsa_*_p1363_test` no. 1).

use serde_json::json;

use super::algorithm::Algorithm;
use super::base64url;
use super::engine::Signed;
use super::jwk::{Key, SecretKeys};

/// A key, a text and its signature.
struct Vector {
    /// The numbers of the key in base64url: `n`, or `x` and `y`.
    key: &'static [&'static str],
    text: &'static [u8],
    signature: &'static str,
}

/// Whether `check` accepts a good signature of `algorithm`, and refuses it for another text as well as
/// another signature of the same length.
pub(super) fn passes(algorithm: Algorithm, check: impl Fn(Signed<'_>) -> Option<bool>) -> bool {
    let Some(vector) = vector(algorithm) else { return false };
    let jwk = match *vector.key {
        [n] => json!({"kty": "RSA", "n": n, "e": "AQAB"}),
        [x, y] => {
            let crv = match algorithm {
                Algorithm::Es256 => "P-256",
                Algorithm::Es384 => "P-384",
                _ => "P-521",
            };
            json!({"kty": "EC", "crv": crv, "x": x, "y": y})
        }
        _ => return false,
    };
    let Ok(key) = Key::parse(&jwk, SecretKeys::Refuse) else { return false };
    let Some(signature) = base64url::decode(vector.signature.as_bytes()) else { return false };
    let mut forged = signature.clone();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    let signed = Signed { key: &key, algorithm, input: vector.text, signature: &signature };
    check(signed) == Some(true)
        && check(Signed { input: b"another text", ..signed }) == Some(false)
        && check(Signed { signature: &forged, ..signed }) == Some(false)
}

const fn vector(algorithm: Algorithm) -> Option<Vector> {
    match algorithm {
        Algorithm::Rs256 => Some(RS256),
        Algorithm::Rs384 => Some(RS384),
        Algorithm::Rs512 => Some(RS512),
        Algorithm::Es256 => Some(ES256),
        Algorithm::Es384 => Some(ES384),
        Algorithm::Es512 => Some(ES512),
        _ => None,
    }
}

const RS256: Vector = Vector {
    key: &["orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3-XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQ\
         l7WrOTGJ25JRLtincRoSU_rNIPecFegkfz0-QuRuSMmOJUov6XZTE6A-_48X4aApOXofomqNzib0kO2BKZYV\
         2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7Oa0wDFFtdNJXU7VQR64eNrwX9evw-Ca2g8RJkIvWQ\
         l1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRdElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD\
         90K51Q"],
    text: &[0; 20],
    signature: "ihsiDLKrQV3HYOt_W7EDNaPMomnX2799CWK6efnPe0Ol_AnJmhWE8HQDRz1sGJqDaJeltvjqn6ItY\
                B5rpfdBH-J8Y4uBsaIjY1g6gPzox98-QPtRvQ5g0KZlP3nzvLfsPp3BTPtbMasXNbymktUKwD-Xnd\
                qSdHxkMPgEXvo1E7puDOPp41Vw4cMMjr5Ym0QZLhNEyoPfpXb8b9x78c187odbAByMAs6NYCdp5L2\
                dJBxIVxgqAImotnZE5z7vEFxVDvpHpAh0KJOVrAxOAv1LqY4TCkwtG5VSHGr0oAKsO9xuUhIq5MCM\
                w9ociW4Fmsvd7FdKwEMvYQPdlyc9iAPBAg",
};

const RS384: Vector = Vector {
    key: &["zab6XKdr_gSS7Ffgo7__cnLcjR4lrR-zOKoFDwLBBOYxM9a1t8SYXruumsA2pbnAMHTWCuyOJbrzkqDEMP8F\
         uI6UiAXT3XRRHYiFJQp7V0IVraAVxVkHZobiU8zJbAgVsSke54fMM2O0932TDrmY18WCskzqnOId6XInkZiY\
         Y6J-vICgDeW9L5Iod15aTOsFTVjJvjagVDNpcaE2Qt2VEN1paqJo2zqrIpnV2I-OViQ00UJwlNPfjnLR72m0\
         7TTRK6w3UiOyolzyJ_c1-BboXhcjkwR2mmCCFUzRWJn8Hq77abdIo-XtJNODcll94-TionuVHWrH2xgtaAnY\
         _1Ebfw"],
    text: &[0; 20],
    signature: "DodCryodgumQOKmaCbwYLiExe2kABPz4-sWks5xsTG8y7gOVpCuK7jGnr3zAsCBQh7TL4Y55HB1UV\
                Pql3CINOyHkSCLTm-76XpBlT65GIFYxxGkdPngiH0jtwU40KtQtvsz-3gdCC5NSr54KAJxJysK0Vk\
                cy2USVRX3L0vZ_tg_XcIBjHPOLeEozc7ZswtGulxp0IlYsLfXyR2mDJj9lWaj-1pwsdoBvhVO18fI\
                jlnfxpKP19VoA-DkRdPq9KFJQPJ3BMLohnRRXCaTwRb9isieNHJxcLnqB9HdpsqEbGLuGSKMuuYT_\
                eu7ZwO4QI4huakAoEq5lUrA0GbTaJcvzuw",
};

const RS512: Vector = Vector {
    key: &["wsSoYCNtPJCWoHbWulEH4Pe9geG6kW9zdXJL0rCwtjlWgTcVo0V6sEWLcfs1pFsn-e96w-V53qRd-_0HgZ7W\
         twIapTNsWEQqrdlsqe6dMkc-nZJ4VitNECWK3mqY-xx8_cOzcW713sWM9zs1nziVmbS1hlqYY1GesAHDJDh9\
         p1VFDbNBMJNg44B8BWW44sRPvV5ujQTQBtfudouOhDYIKpD6DoN_MvRgh6tKDZviiqfaF5TOsBcqf1DtIPbf\
         ZB77y_0qrIl3XHYacxAJPGccl3-hiw1uAfsl96QytCxlNZeExokgVxnBz246Zdri2kNMMm3egbtv__vb9t5c\
         FrunSQ"],
    text: &[0; 20],
    signature: "TeTb-CYHs2pcZ3iuY1HYO371tK9kw3iIiesQ7xg4gihHzrUxkUOSNguS3uBVeW9z4824s9UJEKU33\
                SJE_X-SJ4A1bqPwHpnlvryxtu85jSOZvQJHKocUF9rsO75vifRfGvC_gZpEbcu7dcVpWNNLonyBIM\
                7m_5ckKSHM9Y3pIWmV-gxJyz5tYORkEbLfOwG3j6gcoUXOi-WU7gCQMe2mcusJe6XtZoenA7FU72F\
                nV_lCN_QnX1RzjLWdNrIKnISuEzvXFXR5UvAiJXOpH690Dkt-tOiKuqkQBOcqFwm0AWFrLtsnhOSR\
                9nH89evjJrZp-sql2KD2-EaeqZXE23cvBg",
};

const ES256: Vector = Vector {
    key: &[
        "KSexBRK64-3c_kZ4KBKLrSkDJpkZ9whgacjE32xzKDg",
        "x3h5ZOqsAOWSH7FJimD0YGdms9loUAFVjRqXTnNBUT4",
    ],
    text: b"123400",
    signature: "K6OovmuU1eyAptnRGQpDbv_lDYWh7uhZuMxq-b1cLhhM1guFXUQvWzx7EetsTgrnUl_nEPq5qnx3p\
                n955vrddg",
};

const ES384: Vector = Vector {
    key: &[
        "LaV92hCJJ2pUP5_9rAv_DZdsrXHrcoDn2b_Z_uS9svIPR_-IgnQ4l3LZjMV1ITiq",
        "S20FTWnc8-JexJ34cHFeNIg7GDYZfXb4rZYuePZXG7x0B7DWCR-eTYjwFCdEBhdP",
    ],
    text: b"123400",
    signature: "ErMKvva1R2_mthKuVXwEJWYeJrRLG_4Z2vLKKOMRMIO6jkrkzEWgMgq9M5TxxUjXGEDan8HS-PiQD\
                PSF1UE7jCV07jqNTKA5lcowJA4JUTgFv2IJtYrHqpz_VO7Ngrnx",
};

const ES512: Vector = Vector {
    key: &[
        "AFxkV-wIjVMvSCCTllrlPM0H5VbtWeKvlFzYx6lcHGRPilaoqKPNdzkt3YYeipJNrJnGkGkJO9UqUvpsVgBK\
         B0UI",
        "AHh41tQuS03R6cBpbLPhn2MDPD205g1HMlmz6-B5qvCphu5hd_ghenjGi4E_fhSaTlb9lWLAf-09iVlC19EB\
         y4P2",
    ],
    text: b"123400",
    signature: "AE5CI-5D6MuJ3jsTOf_CeeWC-Cx6sPcbveQ9vjdKx1_77yms345wdQuaBPZv2kg1Hee7_VFXILDsX\
                Nc2-bc734ZFAddKL22Vvo1Mtk8C0W1reFoSRrTr0gbcWWgYu5UyUyRfWieiShquHiGP3M2M19SZC2\
                ZtS_SQK4T9rRI_lB_pBtlI",
};
