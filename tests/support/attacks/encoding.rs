//! Shapes that are no compact JWS, and JSON and base64url that have more than one reading.

use serde_json::{Value, json};

use super::super::mint::{self, b64};
use super::world::MAX_BYTES;
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    duplicates(world, corpus);
    json_text(world, corpus);
    base64url(world, corpus);
    dots(world, corpus);
    serialisations(world, corpus);
    size(world, corpus);
}

/// Two readers of one object must never see two values (RFC 7519 §4); all of these are authentic.
fn duplicates(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone").to_string();
    for extra in [
        r#""alg":"none""#,
        r#""alg":"RS256""#,
        r#""kid":"rsa""#,
        r#""kid":"p256""#,
        r#""typ":"at+jwt""#,
        r#""\u0061lg":"none""#,
        r#""ki\u0064":"p256""#,
        r#""x":1,"x":2"#,
        r#""x":{"y":1,"y":2}"#,
        r#""jwk":{"kty":"oct","kty":"RSA"}"#,
    ] {
        for (place, header) in [
            ("last", format!(r#"{{"alg":"RS256","typ":"JWT","kid":"rsa",{extra}}}"#)),
            ("first", format!(r#"{{{extra},"alg":"RS256","typ":"JWT","kid":"rsa"}}"#)),
        ] {
            let token = world.rsa.sign_raw(header.as_bytes(), claims.as_bytes());
            corpus.refuse("dup-header", format!("{extra} {place}"), token, MALFORMED);
        }
    }
    let open = claims.trim_end_matches('}');
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"}).to_string();
    for extra in [
        r#""iss":"https://issuer.test""#,
        r#""iss":"https://partner.test""#,
        r#""aud":"api://scoring""#,
        r#""aud":["other"]"#,
        r#""exp":99999999999"#,
        r#""exp":null"#,
        r#""nbf":0"#,
        r#""iat":0"#,
        r#""sub":"admin""#,
        r#""sub":"someone""#,
        r#""\u0073ub":"admin""#,
        r#""s\u0075b":"admin""#,
        r#""\u0065xp":99999999999"#,
        r#""roles":["a"],"roles":["b"]"#,
        r#""cnf":{"x5t#S256":"a","x5t#S256":"b"}"#,
        r#""a":[{"b":1,"b":2}]"#,
        r#""a":{"b":{"c":{"d":1,"d":1}}}"#,
        r#""":1,"":2"#,
        r#""é":1,"\u00e9":2"#,
        r#""a/b":1,"a\/b":2"#,
    ] {
        let payload = format!("{open},{extra}}}");
        let token = world.rsa.sign_raw(header.as_bytes(), payload.as_bytes());
        corpus.refuse("dup-payload", extra, token, MALFORMED);
    }
}

/// RFC 8259 to the letter; every text is authentic, as a header (where one verifies) or a payload.
fn json_text(world: &World, corpus: &mut Corpus) {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"}).to_string();
    let claims = mint::claims("someone").to_string();
    for (part, good) in [("header", &header), ("payload", &claims)] {
        let good = good.as_str();
        let open = good.trim_end_matches('}');
        let with = |extra: &str| format!("{open},{extra}}}").into_bytes();
        let raw = |extra: &[u8]| [open.as_bytes(), b",\"x\":\"", extra, b"\"}"].concat();
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (name, text) in [
            ("nothing", Vec::new()),
            ("blank", b" ".to_vec()),
            ("array", format!("[{good}]").into_bytes()),
            ("string", json!(good).to_string().into_bytes()),
            ("number", b"1".to_vec()),
            ("null", b"null".to_vec()),
            ("true", b"true".to_vec()),
            ("truncated", open.as_bytes().to_vec()),
            ("trailing brace", format!("{good}}}").into_bytes()),
            ("trailing object", format!("{good}{{}}").into_bytes()),
            ("trailing comma", format!("{open},}}").into_bytes()),
            ("trailing letter", format!("{good}x").into_bytes()),
            ("trailing nul", format!("{good}\0").into_bytes()),
            ("byte order mark", format!("\u{feff}{good}").into_bytes()),
            ("utf-16", utf16),
            ("vertical tab", format!("\u{b}{good}").into_bytes()),
            ("no-break space", format!("\u{a0}{good}").into_bytes()),
            ("comment", format!("/* */{good}").into_bytes()),
            ("line comment", format!("{good}//").into_bytes()),
            ("hash comment", format!("{good}#").into_bytes()),
            ("json5 name", with("x:1")),
            ("single quotes", with("'x':'y'")),
            ("number name", with("1:1")),
            ("missing colon", with("\"x\" 1")),
            ("missing value", with("\"x\":")),
            ("NaN", with("\"x\":NaN")),
            ("Infinity", with("\"x\":-Infinity")),
            ("hexadecimal", with("\"x\":0x10")),
            ("leading zero", with("\"x\":01")),
            ("leading plus", with("\"x\":+1")),
            ("bare fraction", with("\"x\":.5")),
            ("open fraction", with("\"x\":1.")),
            ("open exponent", with("\"x\":1e")),
            ("True", with("\"x\":True")),
            ("undefined", with("\"x\":undefined")),
            ("lone surrogate", with("\"x\":\"\\ud800\"")),
            ("lone low surrogate", with("\"x\":\"\\udc00\"")),
            ("swapped surrogates", with("\"x\":\"\\udc00\\ud800\"")),
            ("short escape", with("\"x\":\"\\u00g0\"")),
            ("hex escape", with("\"x\":\"\\x41\"")),
            ("open string", with("\"x\":\"")),
            ("raw newline", raw(b"\n")),
            ("raw nul", raw(b"\0")),
            ("raw escape", raw(b"\x1b")),
            ("byte ff", raw(b"\xff")),
            ("lone continuation", raw(b"\x80")),
            ("overlong slash", raw(b"\xc0\xaf")),
            ("overlong nul", raw(b"\xc0\x80")),
            ("encoded surrogate", raw(b"\xed\xa0\x80")),
            ("beyond unicode", raw(b"\xf4\x90\x80\x80")),
            ("cut character", raw(b"\xe2\x82")),
            ("nest 200 arrays", with(&nest("[", "]", 200))),
            ("nest 1000 objects", with(&nest("{\"a\":", "}", 1000))),
            ("nest 4000 arrays", with(&nest("[", "]", 4000))),
            ("nest open", nest_open(8000)),
        ] {
            let token = match part {
                "header" => world.rsa.sign_raw(&text, claims.as_bytes()),
                _ => world.rsa.sign_raw(header.as_bytes(), &text),
            };
            corpus.refuse("json", format!("{part}: {name}"), token, MALFORMED);
        }
    }
}

fn nest(open: &str, close: &str, depth: usize) -> String {
    format!("\"x\":{}1{}", open.repeat(depth), close.repeat(depth))
}

fn nest_open(depth: usize) -> Vec<u8> {
    vec![b'['; depth]
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
        ("space in front", format!(" {good}")),
        ("newline at the end", format!("{good}\n")),
        ("nul at the end", format!("{good}\0")),
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
            let payload = format!("{{{}}}", nest("[", "]", 20_000));
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
