//! Tests the verifier of a host with signatures that are known to be good: public keys and
//! signatures of Project Wycheproof (`rsa_signature_2048_*_test` no. 2, `ecdsa_*_p1363_test` no. 1).

use super::algorithm::Algorithm;
use super::engine::Signed;
use super::jwk::{Key, SecretKeys};
use crate::base64url;

/// A key, a text and its signature.
struct Vector {
    algorithm: Algorithm,
    /// A JWK.
    key: &'static str,
    text: &'static [u8],
    /// base64url.
    signature: &'static str,
}

/// Whether `check` accepts a good signature of `algorithm`, and refuses it for another text as well as
/// another signature of the same length.
pub(super) fn passes(algorithm: Algorithm, check: impl Fn(Signed<'_>) -> Option<bool>) -> bool {
    let Some(vector) = VECTORS.iter().find(|vector| vector.algorithm == algorithm) else {
        return false;
    };
    let Ok(key) = Key::read(vector.key.as_bytes(), SecretKeys::Refuse) else { return false };
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

const VECTORS: [Vector; 6] = [
    Vector {
        algorithm: Algorithm::Rs256,
        key: "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3\
            -XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtincRoSU_rNIPecFegkfz0-QuRuSMmO\
            JUov6XZTE6A-_48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7O\
            a0wDFFtdNJXU7VQR64eNrwX9evw-Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3\
            waRdElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD90K51Q\"}",
        text: &[0; 20],
        signature: "ihsiDLKrQV3HYOt_W7EDNaPMomnX2799CWK6efnPe0Ol_AnJmhWE8HQDRz1sGJqDaJeltvjqn6ItYB5rpfdB\
            H-J8Y4uBsaIjY1g6gPzox98-QPtRvQ5g0KZlP3nzvLfsPp3BTPtbMasXNbymktUKwD-XndqSdHxkMPgEXvo1\
            E7puDOPp41Vw4cMMjr5Ym0QZLhNEyoPfpXb8b9x78c187odbAByMAs6NYCdp5L2dJBxIVxgqAImotnZE5z7v\
            EFxVDvpHpAh0KJOVrAxOAv1LqY4TCkwtG5VSHGr0oAKsO9xuUhIq5MCMw9ociW4Fmsvd7FdKwEMvYQPdlyc9\
            iAPBAg",
    },
    Vector {
        algorithm: Algorithm::Rs384,
        key: "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"zab6XKdr_gSS7Ffgo7__cnLcjR4lrR-zOKoFDwLBBOYx\
            M9a1t8SYXruumsA2pbnAMHTWCuyOJbrzkqDEMP8FuI6UiAXT3XRRHYiFJQp7V0IVraAVxVkHZobiU8zJbAgV\
            sSke54fMM2O0932TDrmY18WCskzqnOId6XInkZiYY6J-vICgDeW9L5Iod15aTOsFTVjJvjagVDNpcaE2Qt2V\
            EN1paqJo2zqrIpnV2I-OViQ00UJwlNPfjnLR72m07TTRK6w3UiOyolzyJ_c1-BboXhcjkwR2mmCCFUzRWJn8\
            Hq77abdIo-XtJNODcll94-TionuVHWrH2xgtaAnY_1Ebfw\"}",
        text: &[0; 20],
        signature: "DodCryodgumQOKmaCbwYLiExe2kABPz4-sWks5xsTG8y7gOVpCuK7jGnr3zAsCBQh7TL4Y55HB1UVPql3CIN\
            OyHkSCLTm-76XpBlT65GIFYxxGkdPngiH0jtwU40KtQtvsz-3gdCC5NSr54KAJxJysK0Vkcy2USVRX3L0vZ_\
            tg_XcIBjHPOLeEozc7ZswtGulxp0IlYsLfXyR2mDJj9lWaj-1pwsdoBvhVO18fIjlnfxpKP19VoA-DkRdPq9\
            KFJQPJ3BMLohnRRXCaTwRb9isieNHJxcLnqB9HdpsqEbGLuGSKMuuYT_eu7ZwO4QI4huakAoEq5lUrA0GbTa\
            Jcvzuw",
    },
    Vector {
        algorithm: Algorithm::Rs512,
        key: "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"wsSoYCNtPJCWoHbWulEH4Pe9geG6kW9zdXJL0rCwtjlW\
            gTcVo0V6sEWLcfs1pFsn-e96w-V53qRd-_0HgZ7WtwIapTNsWEQqrdlsqe6dMkc-nZJ4VitNECWK3mqY-xx8\
            _cOzcW713sWM9zs1nziVmbS1hlqYY1GesAHDJDh9p1VFDbNBMJNg44B8BWW44sRPvV5ujQTQBtfudouOhDYI\
            KpD6DoN_MvRgh6tKDZviiqfaF5TOsBcqf1DtIPbfZB77y_0qrIl3XHYacxAJPGccl3-hiw1uAfsl96QytCxl\
            NZeExokgVxnBz246Zdri2kNMMm3egbtv__vb9t5cFrunSQ\"}",
        text: &[0; 20],
        signature: "TeTb-CYHs2pcZ3iuY1HYO371tK9kw3iIiesQ7xg4gihHzrUxkUOSNguS3uBVeW9z4824s9UJEKU33SJE_X-S\
            J4A1bqPwHpnlvryxtu85jSOZvQJHKocUF9rsO75vifRfGvC_gZpEbcu7dcVpWNNLonyBIM7m_5ckKSHM9Y3p\
            IWmV-gxJyz5tYORkEbLfOwG3j6gcoUXOi-WU7gCQMe2mcusJe6XtZoenA7FU72FnV_lCN_QnX1RzjLWdNrIK\
            nISuEzvXFXR5UvAiJXOpH690Dkt-tOiKuqkQBOcqFwm0AWFrLtsnhOSR9nH89evjJrZp-sql2KD2-EaeqZXE\
            23cvBg",
    },
    Vector {
        algorithm: Algorithm::Es256,
        key: "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"KSexBRK64-3c_kZ4KBKLrSkDJpkZ9whgacjE32xzKD\
            g\",\"y\":\"x3h5ZOqsAOWSH7FJimD0YGdms9loUAFVjRqXTnNBUT4\"}",
        text: b"123400",
        signature: "K6OovmuU1eyAptnRGQpDbv_lDYWh7uhZuMxq-b1cLhhM1guFXUQvWzx7EetsTgrnUl_nEPq5qnx3pn955vrd\
            dg",
    },
    Vector {
        algorithm: Algorithm::Es384,
        key: "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"LaV92hCJJ2pUP5_9rAv_DZdsrXHrcoDn2b_Z_uS9sv\
            IPR_-IgnQ4l3LZjMV1ITiq\",\"y\":\"S20FTWnc8-JexJ34cHFeNIg7GDYZfXb4rZYuePZXG7x0B7DWCR-\
            eTYjwFCdEBhdP\"}",
        text: b"123400",
        signature: "ErMKvva1R2_mthKuVXwEJWYeJrRLG_4Z2vLKKOMRMIO6jkrkzEWgMgq9M5TxxUjXGEDan8HS-PiQDPSF1UE7\
            jCV07jqNTKA5lcowJA4JUTgFv2IJtYrHqpz_VO7Ngrnx",
    },
    Vector {
        algorithm: Algorithm::Es512,
        key: "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AFxkV-wIjVMvSCCTllrlPM0H5VbtWeKvlFzYx6lcHG\
            RPilaoqKPNdzkt3YYeipJNrJnGkGkJO9UqUvpsVgBKB0UI\",\"y\":\"AHh41tQuS03R6cBpbLPhn2MDPD2\
            05g1HMlmz6-B5qvCphu5hd_ghenjGi4E_fhSaTlb9lWLAf-09iVlC19EBy4P2\"}",
        text: b"123400",
        signature: "AE5CI-5D6MuJ3jsTOf_CeeWC-Cx6sPcbveQ9vjdKx1_77yms345wdQuaBPZv2kg1Hee7_VFXILDsXNc2-bc7\
            34ZFAddKL22Vvo1Mtk8C0W1reFoSRrTr0gbcWWgYu5UyUyRfWieiShquHiGP3M2M19SZC2ZtS_SQK4T9rRI_\
            lB_pBtlI",
    },
];
