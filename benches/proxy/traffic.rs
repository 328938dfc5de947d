//! The tokens, and the requests that carry them.

use serde_json::{Value, json};

use crate::Result;
use support::mint::{Signer, jwks, now};

/// How many subjects send requests; each has one token per algorithm.
pub const IDENTITIES: usize = 2_000;
/// The issuer of every token.
pub const ISSUER: &str = "https://issuer.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
/// The tenant in it.
pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
/// How many groups a token has that has any: the most that Entra ID writes.
pub const GROUPS: usize = 200;
/// The audience of every token.
pub const AUDIENCE: &str = "api://scoring";

/// How many subjects have such tokens: their claims are ten times as large.
const GROUPED: usize = 500;

/// How many rows a body has: about 1 KiB.
const BODY_ROWS: usize = 100;

/// The bytes of a body for a language model.
const CHAT_BYTES: usize = 4 << 10;

/// Length that every token is padded to.
const TOKEN_BYTES: usize = 900;
/// More forged tokens than a cache of refused ones may sensibly keep.
const FORGERIES: usize = 40_000;

/// The contents of the requests to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// The next valid token of the next identity.
    Valid(Algorithm),
    /// The same with a JSON body of [`BODY_ROWS`] rows.
    Body,
    /// The same with a chat of [`CHAT_BYTES`] for a language model.
    Chat,
    /// The next valid RS256 token with [`GROUPS`] groups.
    Groups,
    /// No token at all.
    NoToken,
    /// One RS256 token of a known key with a false signature, over and over.
    ForgedSame,
    /// The same, but never one twice.
    ForgedEach,
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5, 2048 bits.
    Rs256,
    /// ECDSA on P-256.
    Es256,
}

impl Traffic {
    /// The traffic of the same size that passes the bare listener.
    pub fn shape(self) -> Self {
        match self {
            Self::ForgedSame | Self::ForgedEach => Self::Valid(Algorithm::Rs256),
            other => other,
        }
    }

    /// The name of its algorithm, for the report.
    pub fn token(self) -> &'static str {
        match self {
            Self::Valid(Algorithm::Es256) => "ES256",
            Self::NoToken => "-",
            Self::Valid(Algorithm::Rs256)
            | Self::Body
            | Self::Chat
            | Self::Groups
            | Self::ForgedSame
            | Self::ForgedEach => "RS256",
        }
    }
}

/// Every request of the run as the bytes that are sent.
pub struct Requests {
    jwks: Value,
    rs256: Vec<Vec<u8>>,
    es256: Vec<Vec<u8>>,
    body: Vec<Vec<u8>>,
    chat: Vec<Vec<u8>>,
    groups: Vec<Vec<u8>>,
    no_token: Vec<Vec<u8>>,
    forged_same: Vec<Vec<u8>>,
    forged_each: Vec<Vec<u8>>,
}

impl Requests {
    /// Signs the tokens: some seconds of work.
    pub fn mint() -> Result<Self> {
        let rsa = Signer::new("RS256", "bench-rsa");
        let ec = Signer::new("ES256", "bench-ec");
        let (rs256, es256) = (tokens(&rsa), tokens(&ec));
        let genuine = rs256.first().ok_or("no token was minted")?;
        Ok(Self {
            jwks: jwks(&[&rsa, &ec]),
            groups: grouped(&rsa).iter().map(|token| request(Some(token))).collect(),
            no_token: vec![request(None)],
            forged_same: vec![request(Some(&forge(genuine, FORGERIES)))],
            forged_each: (0..FORGERIES).map(|n| request(Some(&forge(genuine, n)))).collect(),
            body: rs256.iter().map(|token| with_body(token, &rows())).collect(),
            chat: rs256.iter().map(|token| with_body(token, &chat())).collect(),
            rs256: rs256.iter().map(|token| request(Some(token))).collect(),
            es256: es256.iter().map(|token| request(Some(token))).collect(),
        })
    }

    /// The public keys of the valid tokens.
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// The requests of `traffic`, to be sent round and round.
    pub fn of(&self, traffic: Traffic) -> &[Vec<u8>] {
        match traffic {
            Traffic::Valid(Algorithm::Rs256) => &self.rs256,
            Traffic::Valid(Algorithm::Es256) => &self.es256,
            Traffic::Body => &self.body,
            Traffic::Chat => &self.chat,
            Traffic::Groups => &self.groups,
            Traffic::NoToken => &self.no_token,
            Traffic::ForgedSame => &self.forged_same,
            Traffic::ForgedEach => &self.forged_each,
        }
    }
}

/// One token per identity, each of `TOKEN_BYTES` within the four bytes that base64 allows.
fn tokens(signer: &Signer) -> Vec<String> {
    let now = now();
    let unpadded = signer.sign(&claims(0, now, 0)).len();
    let padding = TOKEN_BYTES.saturating_sub(unpadded).saturating_mul(3) / 4;
    (0..IDENTITIES).map(|identity| signer.sign(&claims(identity, now, padding))).collect()
}

/// One token with groups per identity of the first [`GROUPED`].
fn grouped(signer: &Signer) -> Vec<String> {
    let groups: Vec<String> = (0..GROUPS).map(group).collect();
    let token = |identity| {
        let mut claims = claims(identity, now(), 0);
        crate::listener::set(&mut claims, "groups", json!(groups));
        signer.sign(&claims)
    };
    (0..GROUPED).map(token).collect()
}

/// The identifier of a group.
pub fn group(number: usize) -> String {
    format!("dddddddd-0000-0000-0000-{number:012}")
}

/// Claims like those of an access token of an application.
fn claims(identity: usize, now: u64, padding: usize) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("subject-{identity:06}"),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add(12 * 3600),
        "azp": "11111111-2222-3333-4444-555555555555",
        "appid": "11111111-2222-3333-4444-555555555555",
        "tid": TENANT,
        "oid": format!("aaaaaaaa-bbbb-cccc-dddd-{identity:012}"),
        "roles": ["Model.Score"],
        "scp": "score.invoke",
        "idtyp": "app",
        "ver": "2.0",
        "pad": "p".repeat(padding),
    })
}

/// `token` with the last characters but a few of its signature replaced by those of `number`: a
/// signature of the right length, below the modulus, and false.
fn forge(token: &str, number: usize) -> String {
    let end = token.len().saturating_sub(4);
    let start = end.saturating_sub(12);
    let head = token.get(..start).unwrap_or_default();
    let tail = token.get(end..).unwrap_or_default();
    format!("{head}{number:012}{tail}")
}

fn rows() -> String {
    format!("{{\"data\":[{}]}}", vec!["[1.5,2,3]"; BODY_ROWS].join(","))
}

fn chat() -> String {
    let words = "a word and ";
    let words = words.repeat(CHAT_BYTES / words.len());
    let message = json!({"role": "user", "content": words});
    json!({"model": "large", "max_tokens": 500, "messages": [message]}).to_string()
}

fn with_body(token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /score HTTP/1.1\r\nhost: ml.example.com\r\nuser-agent: bench\r\naccept: */*\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn request(token: Option<&str>) -> Vec<u8> {
    let authorization =
        token.map_or_else(String::new, |t| format!("authorization: Bearer {t}\r\n"));
    format!(
        "GET /score HTTP/1.1\r\nhost: ml.example.com\r\nuser-agent: bench\r\naccept: */*\r\n\
         {authorization}\r\n"
    )
    .into_bytes()
}
