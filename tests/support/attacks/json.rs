//! JSON with more than one reading, or with none.

use serde_json::json;

use super::super::mint;
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    duplicates(world, corpus);
    json_text(world, corpus);
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

/// A member that nests this deep.
pub(super) fn nest(open: &str, close: &str, depth: usize) -> String {
    format!("\"x\":{}1{}", open.repeat(depth), close.repeat(depth))
}

fn nest_open(depth: usize) -> Vec<u8> {
    vec![b'['; depth]
}
