//! Shapes that are no compact JWS, and base64url with more than one spelling.

use serde_json::{Value, json};

use super::super::mint::{self, b64};
use super::world::MAX_BYTES;
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    base64url(world, corpus);
    dots(world, corpus);
    serialisations(world, corpus);
    size(world, corpus);
}

/// RFC 7515 §2: unpadded, URL-safe, and RFC 4648 §3.5: canonical. Each is authentic but for its
/// spelling, so that a lenient decoder would accept it.
fn base64url(world: &World, corpus: &mut Corpus) {
    // The 64 bytes of its signature leave spare bits in the last letter.
    let signer = &world.p256;
    let good = signer.sign(&claims_with("sub", json!("someone???>>>")));
    let parts = parts(&good);
    for (at, part) in ["header", "payload", "signature"].into_iter().enumerate() {
        let text = parts[at];
        let (head, tail) = text.split_at(text.len() / 2);
        for (name, bad) in [
            ("padded to four", pad(text)),
            ("padded too far", pad(text) + "="),
            ("space inside", format!("{head} {tail}")),
            ("space in front", format!(" {text}")),
            ("newline inside", format!("{head}\n{tail}")),
            ("crlf at the end", format!("{text}\r\n")),
            ("tab inside", format!("{head}\t{tail}")),
            ("nul inside", format!("{head}\0{tail}")),
            ("nul at the end", format!("{text}\0")),
            ("percent", format!("{head}%41{tail}")),
            ("comma", format!("{head},{tail}")),
            ("semicolon", format!("{text};")),
            ("slash", format!("{head}/{tail}")),
            ("plus", format!("{head}+{tail}")),
            ("fullwidth letter", format!("{head}Ａ{tail}")),
            ("zero-width space", format!("{head}\u{200b}{tail}")),
            ("tilde", format!("{text}~")),
        ] {
            let mut three = parts.map(str::to_owned);
            three[at] = bad;
            respell(corpus, part, name, three.join(".").into_bytes());
        }
        let mut bytes = good.clone().into_bytes();
        let offset: usize = parts[..at].iter().map(|part| part.len() + 1).sum();
        bytes.insert(offset + 1, 0xff);
        respell(corpus, part, "byte ff", bytes);
        let mut three = parts.map(str::to_owned);
        three[at] = spare_bits(text).unwrap_or_else(|| format!("{text}A"));
        respell(corpus, part, "spare bits or lone letter", three.join(".").into_bytes());
    }
    let standard = good.replace('-', "+").replace('_', "/");
    if standard != good {
        respell(corpus, "token", "standard alphabet", standard.into_bytes());
    }
    for (name, bad) in [
        ("newline at the end", format!("{good}\n")),
        ("bearer again", format!("Bearer {good}")),
        ("quoted", format!("\"{good}\"")),
        ("twice", format!("{good},{good}")),
        ("twice with a space", format!("{good} {good}")),
        ("percent dots", good.replace('.', "%2E")),
        ("fullwidth dots", good.replace('.', "．")),
        ("byte order mark", format!("\u{feff}{good}")),
    ] {
        respell(corpus, "token", name, bad.into_bytes());
    }
}

fn respell(corpus: &mut Corpus, part: &str, name: &str, token: Vec<u8>) {
    corpus.refuse("base64url", format!("{part}: {name}"), token, MALFORMED);
}

fn pad(text: &str) -> String {
    match text.len() % 4 {
        0 => format!("{text}===="),
        n => format!("{text}{}", "=".repeat(4 - n)),
    }
}

/// The same bytes with a bit set that decoding drops; none if the length leaves no such bit.
fn spare_bits(text: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if text.len().is_multiple_of(4) {
        return None;
    }
    let (head, last) = text.split_at(text.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0])?;
    Some(format!("{head}{}", char::from(ALPHABET[value | 1])))
}

/// Exactly two dots, no part empty (RFC 7515 §3.1; CVE-2025-30204).
fn dots(world: &World, corpus: &mut Corpus) {
    let good = world.rsa.sign(&mint::claims("someone"));
    let [header, payload, signature] = parts(&good);
    let many = |count: usize| ".".repeat(count);
    for (name, token) in [
        ("no dot", format!("{header}{payload}{signature}")),
        ("one dot", format!("{header}.{payload}")),
        ("three dots", format!("{good}.")),
        ("three dots in front", format!(".{good}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{good}.{signature}.{signature}")),
        ("six parts", format!("{good}.{good}")),
        ("one dot alone", many(1)),
        ("two dots alone", many(2)),
        ("three dots alone", many(3)),
        ("empty header", format!(".{payload}.{signature}")),
        ("empty header and payload", format!("..{signature}")),
        ("doubled dot", format!("{header}..{payload}.{signature}")),
        ("a letter", "x".to_owned()),
        ("a word", "token".to_owned()),
        ("ten dots", many(10)),
        ("16,000 dots", many(16_000)),
        ("good and 10,000 dots", format!("{good}{}", many(10_000))),
    ] {
        corpus.refuse("dots", name, token, MALFORMED);
    }
    let detached = format!("{header}..{signature}");
    corpus.refuse("dots", "detached payload", detached, MALFORMED);
    corpus.refuse("dots", "65,536 dots", many(65_536), TOO_LARGE);
    corpus.refuse("dots", "good and 65,536 dots", format!("{good}{}", many(65_536)), TOO_LARGE);
}

/// JWE, the JSON serialisations, and texts that are both JSON and compact (CVE-2022-39227).
fn serialisations(world: &World, corpus: &mut Corpus) {
    let good = world.rsa.sign(&mint::claims("someone"));
    let [header, payload, signature] = parts(&good);
    let admin = b64(mint::claims("admin").to_string().as_bytes());
    for (alg, enc) in [
        ("dir", "A256GCM"),
        ("RSA-OAEP", "A256GCM"),
        ("A128KW", "A128CBC-HS256"),
        ("PBES2-HS256+A128KW", "A128GCM"),
        ("RSA1_5", "A128GCM"),
        ("RS256", "A128GCM"),
    ] {
        let head = json!({"alg": alg, "enc": enc, "zip": "DEF", "p2c": 2_000_000_000, "p2s": "AA"});
        let head = b64(head.to_string().as_bytes());
        let token = format!("{head}.AAAA.AAAA.{payload}.AAAA");
        corpus.refuse("jwe", format!("{alg} {enc}"), token, MALFORMED);
        let token = format!("{head}..AAAA.{payload}.AAAA");
        corpus.refuse("jwe", format!("{alg} {enc} without key"), token, MALFORMED);
    }
    let one = json!({"protected": header, "signature": signature});
    for (name, text) in [
        ("flattened", json!({"payload": payload, "protected": header, "signature": signature})),
        ("forged", json!({"payload": admin, "protected": header, "signature": signature})),
        ("unprotected", json!({"payload": payload, "header": {"alg": "none"}, "signature": ""})),
    ] {
        json_form(corpus, "json-flat", name, &text);
    }
    for (name, text) in [
        ("one signature", json!({"payload": payload, "signatures": [one]})),
        ("no signature", json!({"payload": payload, "signatures": []})),
        (
            "one of two",
            json!({"payload": payload, "signatures": [{"protected": header, "signature": "AA"}, one]}),
        ),
        (
            "mixed",
            json!({"payload": admin, "protected": header, "signature": signature, "signatures": [one]}),
        ),
    ] {
        json_form(corpus, "json-general", name, &text);
    }
    let mixes = [
        format!(
            r#"{{"  {header}.{admin}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
        ),
        format!(r#"{{"{header}":"","payload":".{payload}.","signature":"{signature}"}}"#),
        format!(r#"{header}.{payload}.{signature}{{"payload":"{admin}"}}"#),
        format!(r#"["{good}"]"#),
    ];
    for (at, token) in mixes.into_iter().enumerate() {
        corpus.refuse("json-compact-mix", format!("mix {at}"), token, MALFORMED);
    }
}

fn json_form(corpus: &mut Corpus, family: &'static str, name: &str, text: &Value) {
    corpus.refuse(family, name, text.to_string(), MALFORMED);
    corpus.refuse(family, format!("{name}, encoded"), b64(text.to_string().as_bytes()), MALFORMED);
}

/// Nothing is decoded that is longer than `max_bytes` (CVE-2025-61920).
fn size(world: &World, corpus: &mut Corpus) {
    let sized = |bytes: usize| world.rsa.sign(&claims_with("x", json!("x".repeat(bytes))));
    for (name, token) in [
        ("authentic, 17 KiB", sized(12 * 1024)),
        ("authentic, 40 KiB", sized(30 * 1024)),
        ("authentic, 1 MiB", sized(768 * 1024)),
        ("one byte too many", "A".repeat(MAX_BYTES + 1)),
        ("1 MiB of letters", "A".repeat(1 << 20)),
        (
            "a huge signature",
            format!("{}{}", world.rsa.sign(&mint::claims("a")), "A".repeat(MAX_BYTES)),
        ),
        ("nested 20,000 deep", {
            let payload = format!("{{{}}}", json::nest("[", "]", 20_000));
            world.rsa.sign_raw(br#"{"alg":"RS256","kid":"rsa"}"#, payload.as_bytes())
        }),
        ("a huge header", {
            let header = json!({"alg": "RS256", "kid": "rsa", "x": "x".repeat(MAX_BYTES)});
            world.rsa.sign_with(header, &mint::claims("someone"))
        }),
    ] {
        corpus.refuse("size", name, token, TOO_LARGE);
    }
}
