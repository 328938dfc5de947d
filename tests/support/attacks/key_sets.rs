//! Hostile key sets, as a provider or an impostor may serve them.
//!
//! Each set is served for an issuer of its own. A bad key in it must verify no token, and must not
//! affect the keys beside it.

use serde_json::{Value, json};

use super::super::mint::{Signer, b64};
use super::world::of;

/// A key set, and the expected verdicts on tokens under it.
pub struct KeySetAttack {
    /// The kind of attack.
    pub family: &'static str,
    /// Which of its kind.
    pub name: String,
    /// The bytes that are served.
    pub document: Vec<u8>,
    /// Tokens of [`issuer`], each with the reason it must meet; `ok` passes.
    pub probes: Vec<(String, &'static str)>,
}

/// The issuer of the set with this number.
pub fn issuer(number: usize) -> String {
    format!("https://ks-{number}.test")
}

/// The reason where a set cannot be used at all.
pub const UNUSABLE: &str = "keys_unavailable";

const SKIPPED: &str = "key_unknown";

/// Points of small order on Ed25519, canonical and not: signatures under them need no private key.
const SMALL_ORDER: [&str; 9] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

struct Sets {
    all: Vec<KeySetAttack>,
    good: Signer,
    rsa: Signer,
    ec: Signer,
    ed: Signer,
}

/// Every hostile key set.
pub fn key_sets() -> Vec<KeySetAttack> {
    let mut sets = Sets {
        all: Vec::new(),
        good: Signer::new("ES256", "good"),
        rsa: Signer::new("RS256", "bad"),
        ec: Signer::new("ES256", "bad"),
        ed: Signer::new("EdDSA", "bad"),
    };
    sets.rsa_numbers();
    sets.curves();
    sets.small_order();
    sets.members();
    sets.harmless();
    sets.documents();
    sets.sizes();
    sets.all
}

impl Sets {
    fn claims(&self) -> Value {
        of(&issuer(self.all.len()))
    }

    /// A set of the bad key and the good one; both are tried.
    fn beside(
        &mut self,
        family: &'static str,
        name: &str,
        key: Value,
        token: String,
        why: &'static str,
    ) {
        let document = json!({"keys": [key, self.good.jwk()]}).to_string().into_bytes();
        let good = self.good.sign(&self.claims());
        let probes = vec![(good, "ok"), (token, why)];
        self.all.push(KeySetAttack { family, name: name.to_owned(), document, probes });
    }

    /// A key of `signer` with some members changed, null to remove one; its own token must find no
    /// key.
    fn spoilt(&mut self, family: &'static str, signer: &Signer, changes: Value) {
        let mut key = signer.jwk();
        let members = key.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(members.remove(name)),
                value => drop(members.insert(name.clone(), value.clone())),
            }
        }
        let mut name = changes.to_string();
        name.truncate(60);
        let token = signer.sign(&self.claims());
        self.beside(family, &name, key, token, SKIPPED);
    }

    /// A whole document in which the good key cannot be found.
    fn whole(&mut self, family: &'static str, name: &str, document: impl Into<Vec<u8>>) {
        let probes = vec![(self.good.sign(&self.claims()), UNUSABLE)];
        self.all.push(KeySetAttack {
            family,
            name: name.into(),
            document: document.into(),
            probes,
        });
    }

    fn rsa_numbers(&mut self) {
        for bits in [512, 1024, 1536] {
            let weak = Signer::rsa_bits("RS256", "bad", bits);
            self.spoilt("ks-rsa-size", &weak, json!({}));
        }
        let rsa = self.rsa.clone();
        let n = rsa.jwk()["n"].as_str().unwrap().to_owned();
        for modulus in [
            String::new(),
            b64(&[0xff; 255]),
            b64(&[&[0; 8][..], &[0xff; 248]].concat()),
            b64(&[0xff; 513]),
            b64(&[0xfe; 256]),
            "A".repeat(4096),
            format!("{n}="),
            format!("{n} "),
            n.replace('-', "+").replace('_', "/"),
        ] {
            self.spoilt("ks-rsa-modulus", &rsa, json!({"n": modulus}));
        }
        self.spoilt("ks-rsa-modulus", &rsa, json!({"n": 65537}));
        for exponent in ["", "AA", "Aw", "Ag", "AQAD", "AQABAQAB", "AQA="] {
            self.spoilt("ks-rsa-exponent", &rsa, json!({"e": exponent}));
        }
        // With the exponent 1 the padded hash is its own signature.
        let header = b64(json!({"alg": "RS256", "kid": "bad"}).to_string().as_bytes());
        let input = format!("{header}.{}", b64(self.claims().to_string().as_bytes()));
        let info = [&SHA_256[..], &hmac_sha256::Hash::hash(input.as_bytes())].concat();
        let padded = [&[0, 1][..], &vec![0xff; 256 - 3 - info.len()], &[0], &info].concat();
        let mut key = rsa.jwk();
        key["e"] = json!("AQ");
        self.beside("ks-rsa-exponent", "1", key, format!("{input}.{}", b64(&padded)), SKIPPED);
    }

    fn curves(&mut self) {
        let ec = self.ec.clone();
        let x = ec.jwk()["x"].clone();
        for changes in [
            json!({"x": b64(&[0; 32]), "y": b64(&[0; 32])}),
            json!({"x": b64(&[0xff; 32])}),
            json!({"y": x}),
            json!({"y": null}),
            json!({"x": b64(&[1; 31])}),
            json!({"x": b64(&[1; 33])}),
            json!({"x": 1}),
        ] {
            self.spoilt("ks-ec-point", &ec, changes);
        }
        for curve in ["P-192", "p-256", "P-384", "P-521", "secp256k1", "Ed25519"] {
            self.spoilt("ks-ec-curve", &ec, json!({"crv": curve, "alg": null}));
        }
        self.spoilt("ks-ec-curve", &ec, json!({"crv": null}));
        let ed = self.ed.clone();
        for curve in ["X25519", "Ed448", "P-256"] {
            self.spoilt("ks-okp-curve", &ed, json!({"crv": curve}));
        }
        self.spoilt("ks-okp-curve", &ed, json!({"x": b64(&[7; 31])}));
    }

    fn small_order(&mut self) {
        for point in SMALL_ORDER {
            let point: Vec<u8> = (0..32)
                .map(|at| u8::from_str_radix(&point[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "bad", "x": b64(&point)});
            let header = b64(json!({"alg": "EdDSA", "kid": "bad"}).to_string().as_bytes());
            let input = format!("{header}.{}", b64(self.claims().to_string().as_bytes()));
            // R is the neutral element and S is zero.
            let signature = [&[1][..], &[0; 63]].concat();
            let token = format!("{input}.{}", b64(&signature));
            self.beside("ks-small-order", &b64(&point), key, token, SKIPPED);
        }
    }

    fn members(&mut self) {
        let (rsa, ec, ed) = (self.rsa.clone(), self.ec.clone(), self.ed.clone());
        for (family, changes) in [
            ("ks-use", json!({"use": "enc"})),
            ("ks-use", json!({"use": "SIG"})),
            ("ks-use", json!({"use": ["sig"]})),
            ("ks-key-ops", json!({"key_ops": ["sign"]})),
            ("ks-key-ops", json!({"key_ops": ["encrypt", "wrapKey"]})),
            ("ks-key-ops", json!({"key_ops": []})),
            ("ks-key-ops", json!({"key_ops": "verify"})),
            ("ks-key-ops", json!({"key_ops": ["verify", 1]})),
            ("ks-alg", json!({"alg": "none"})),
            ("ks-alg", json!({"alg": "HS256"})),
            ("ks-alg", json!({"alg": "ES256"})),
            ("ks-alg", json!({"alg": "RSA-OAEP"})),
            ("ks-alg", json!({"alg": "rs256"})),
            ("ks-alg", json!({"alg": ["RS256"]})),
            ("ks-kid", json!({"kid": 1})),
            ("ks-kid", json!({"kid": ["bad"]})),
            ("ks-kid", json!({"kid": "BAD"})),
            ("ks-type", json!({"kty": "rsa"})),
            ("ks-type", json!({"kty": "AKP"})),
            ("ks-type", json!({"kty": "EC"})),
            ("ks-type", json!({"kty": 1})),
            ("ks-type", json!({"kty": null})),
            ("ks-x5c", json!({"n": null, "e": null, "x5c": ["MIIB"]})),
            ("ks-x5c", json!({"n": null, "e": null, "x5u": "https://evil.test/cert"})),
            ("ks-private", json!({"d": "AQAB"})),
            ("ks-private", json!({"p": "AQAB", "q": "AQAB"})),
            ("ks-private", json!({"k": "AQAB"})),
        ] {
            self.spoilt(family, &rsa, changes);
        }
        self.spoilt("ks-private", &ec, json!({"d": b64(&[7; 32])}));
        self.spoilt("ks-private", &ed, json!({"d": b64(&[7; 32])}));
        self.spoilt("ks-alg", &ec, json!({"alg": "ES384"}));
        for (name, key) in [
            ("null", json!(null)),
            ("a text", json!("key")),
            ("a list", json!([rsa.jwk()])),
            ("a number", json!(1)),
            ("nothing in it", json!({})),
        ] {
            let token = rsa.sign(&self.claims());
            self.beside("ks-not-a-key", name, key, token, SKIPPED);
        }
        // A secret that the network hands out is no secret; HMAC is off unless it is named.
        for secret in [&[7_u8; 32][..], b""] {
            let hmac = Signer::hmac("HS256", "bad", secret);
            let token = hmac.sign(&self.claims());
            let name = format!("{} bytes", secret.len());
            self.beside("ks-secret", &name, hmac.jwk(), token, "algorithm_not_allowed");
        }
    }

    /// A key of `signer` with these members set, null as well, is as good as without them.
    fn well(&mut self, family: &'static str, signer: &Signer, changes: Value) {
        let mut key = signer.jwk();
        key.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut name = changes.to_string();
        name.truncate(60);
        let token = signer.sign(&self.claims());
        self.beside(family, &name, key, token, "ok");
    }

    fn harmless(&mut self) {
        let (rsa, ec, ed) = (self.rsa.clone(), self.ec.clone(), self.ed.clone());
        for name in ["use", "key_ops", "issuer", "d", "p", "k", "oth", "x5c"] {
            self.well("ks-null", &rsa, json!({ name: null }));
        }
        self.well("ks-null", &ec, json!({"alg": null, "d": ""}));
        self.well("ks-use", &rsa, json!({"use": "jwt-svid"}));
        self.spoilt("ks-use", &rsa, json!({"use": "x509-svid"}));
        self.well("ks-alg", &ed, json!({"alg": "Ed25519"}));
        // The same for the header of a token.
        for header in [
            json!({"alg": "Ed25519", "kid": "bad"}),
            json!({"alg": "EdDSA", "kid": "bad", "typ": null, "cty": null, "jku": null}),
        ] {
            let token = ed.sign_with(header.clone(), &self.claims());
            self.beside("ks-header", &header.to_string(), ed.jwk(), token, "ok");
        }
        // A key with two readings, beside the good one.
        for bad in [
            rsa.jwk().to_string().replacen(r#""kid""#, r#""kid":"x","kid""#, 1),
            rsa.jwk().to_string().replacen('{', r#"{"x":1e400,"#, 1),
            rsa.jwk().to_string().replacen('{', r#"{"x":"\ud800","#, 1),
        ] {
            let token = rsa.sign(&self.claims());
            self.beside("ks-ambiguous", "", json!({}), token, SKIPPED);
            let last = self.all.last_mut().unwrap();
            last.name = bad.chars().take(24).collect();
            let set = format!(r#"{{"keys":[{bad},{}]}}"#, self.good.jwk());
            last.document = set.into_bytes();
        }
    }

    fn documents(&mut self) {
        let good = self.good.jwk();
        let set = json!({"keys": [good]}).to_string();
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for (name, document) in [
            ("nothing", String::new()),
            ("an empty object", "{}".into()),
            ("an empty list of keys", r#"{"keys":[]}"#.into()),
            ("a list", format!("[{good}]")),
            ("one key", good.to_string()),
            ("keys as an object", format!(r#"{{"keys":{{"0":{good}}}}}"#)),
            ("keys as a text", json!({"keys": set}).to_string()),
            ("null", r#"{"keys":null}"#.into()),
            ("another name", format!(r#"{{"Keys":[{good}]}}"#)),
            ("keys twice", format!(r#"{{"keys":[{good}],"keys":[{good}]}}"#)),
            ("kid twice", set.replacen(r#""kid""#, r#""kid":"x","kid""#, 1)),
            ("two documents", format!("{set}{set}")),
            ("a byte behind", format!("{set}x")),
            ("a comment", format!("/* keys */{set}")),
            ("a comma too many", set.replace("]}", ",]}")),
            ("a byte order mark", format!("\u{feff}{set}")),
            ("single quotes", set.replace('"', "'")),
            ("a prefix against inclusion", format!(")]}}',\n{set}")),
            ("half", set[..set.len() / 2].into()),
            ("a page", "<html><body>Please log in</body></html>".into()),
            ("nested", format!(r#"{{"a":{nested},"keys":[{good}]}}"#)),
            (
                "bad keys alone",
                json!({"keys": [{"kty": "RSA"}, {"kty": "oct", "k": "AA"}]}).to_string(),
            ),
        ] {
            self.whole("ks-document", name, document);
        }
        let sixteen: Vec<u8> = set.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.whole("ks-document", "UTF-16", sixteen);
        self.whole("ks-document", "a NUL behind", [set.as_bytes(), b"\0"].concat());
        let invalid = set.replacen("good", "go\u{1}od", 1).into_bytes();
        self.whole("ks-document", "a control byte in a name", invalid);
        let bytes = set.into_bytes().into_iter().map(|b| if b == b'g' { 0xff } else { b });
        self.whole("ks-document", "a byte that is no UTF-8", bytes.collect::<Vec<_>>());
    }

    fn sizes(&mut self) {
        let good = self.good.jwk();
        let many = |count: usize, key: Value| vec![key; count];
        let bad = json!({"kty": "EC", "kid": "x"});
        let keys = [many(256, bad.clone()), vec![good.clone()]].concat();
        self.whole("ks-size", "257 keys", json!({"keys": keys}).to_string());
        let padding = "x".repeat(512 << 10);
        self.whole("ks-size", "above 512 KiB", json!({"keys": [good], "a": padding}).to_string());
        // At most two keys of one name are tried, and of more none.
        for (others, why) in [(1, "ok"), (2, SKIPPED), (8, SKIPPED)] {
            let others = (0..others).map(|_| Signer::new("ES256", "good").jwk());
            let keys: Vec<_> = [good.clone()].into_iter().chain(others).collect();
            let probes = vec![(self.good.sign(&self.claims()), why)];
            let document = json!({"keys": keys}).to_string().into_bytes();
            let name = format!("{} of one name", keys.len());
            self.all.push(KeySetAttack { family: "ks-size", name, document, probes });
        }
    }
}

/// The `DigestInfo` of SHA-256 before its hash (RFC 8017 §9.2, note 1).
const SHA_256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
