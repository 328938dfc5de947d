//! `tollgate mint` and `serve-jwks`: keys stay private, tokens verify with the served keys.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::tollgate;

/// An empty directory of this test.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli/mint").join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Ends the server with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn a_minted_token_of_each_algorithm_passes_with_the_keys_that_are_served() {
    let folder = directory("served");
    let keys = folder.join("keys");
    let dir = keys.to_str().unwrap();
    let mint = |alg: &str, more: &[&str]| {
        let issuer = ["--issuer", "https://dev.test", "--audience", "a", "--claim", "n=[1]"];
        let arguments = [&["mint", "--dir", dir, "--alg", alg][..], &issuer, more].concat();
        let (token, _, code) = tollgate(&arguments);
        assert_eq!(code, 0);
        token.trim().to_owned()
    };
    let all = ["RS256", "ES256", "ES384", "EdDSA"];
    let mut tokens: Vec<String> = all.iter().map(|alg| mint(alg, &[])).collect();
    tokens.push(mint("ES256", &["--expires-in", "-3600"]));
    tokens.push(mint("ES256", &["--claim", "sub="]));
    for alg in all {
        let file = keys.join(format!("{alg}.pem"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);

    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["serve-jwks", "--dir", dir, "--listen", "127.0.0.1:0"]);
    let mut server = Server(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let jwks_uri = line.trim().rsplit(' ').next().unwrap().to_owned();
    let address = jwks_uri.trim_start_matches("http://").trim_end_matches("/jwks").to_owned();
    // A browser opens connections that it may never use.
    let _idle = TcpStream::connect(&address).unwrap();
    let (status, discovery) = get(&address, "/.well-known/openid-configuration");
    let discovery: Value = serde_json::from_str(&discovery).unwrap();
    assert_eq!((status, &discovery["jwks_uri"]), (200, &json!(jwks_uri)));
    assert_eq!(get(&address, "/RS256.pem").0, 404);
    let (status, jwks) = get(&address, "/jwks");
    let served: Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!((status, served["keys"].as_array().unwrap().len()), (200, 4));
    assert!(served["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));

    let config = folder.join("config.json");
    let document = json!({"providers": [{"name": "dev", "issuers": ["https://dev.test"],
        "audiences": ["a"], "keys": {"remote": {"uri": jwks_uri, "cluster": "dev"}}}]});
    std::fs::write(&config, document.to_string()).unwrap();
    let (file, list) = (folder.join("jwks.json"), folder.join("tokens"));
    std::fs::write(&file, jwks).unwrap();
    std::fs::write(&list, tokens.join("\n")).unwrap();
    let keys = format!("dev={}", file.display());
    let (config, list) = (config.to_str().unwrap(), list.to_str().unwrap());
    let (told, _, code) =
        tollgate(&["explain", "--config", config, "--keys", &keys, "--tokens", list]);
    assert_eq!(code, 3);
    assert_eq!(
        told,
        "1 allow ok\n2 allow ok\n3 allow ok\n4 allow ok\n5 deny expired\n\
                      6 deny claim_missing\n"
    );
}

#[test]
fn keys_are_used_again_and_the_server_stays_on_loopback() {
    let folder = directory("again");
    let dir = folder.to_str().unwrap();
    let jwks = || tollgate(&["mint", "--dir", dir, "--jwks"]).0;
    let (_, one, _) = tollgate(&["mint", "--dir", dir]);
    let (first, rest, _) = tollgate(&["mint", "--dir", dir, "--jwks"]);
    let (_, none, _) = tollgate(&["mint", "--dir", dir]);
    let created = format!("created keys in {dir}: ");
    for (errors, keys) in [(&one, "ES256\n"), (&rest, "RS256, ES384, EdDSA\n")] {
        assert!(errors.ends_with(&(created.clone() + keys)), "{errors}");
    }
    assert!(!none.contains("created"), "{none}");
    for algorithm in ["RS256", "ES256", "ES384", "EdDSA"] {
        assert_eq!(tollgate(&["mint", "--dir", dir, "--alg", algorithm]).2, 0);
        assert!(first.contains(algorithm), "{first}");
    }
    assert_eq!(jwks(), first, "one key set serves every later token");
    assert_eq!(tollgate(&["serve-jwks", "--dir", dir, "--listen", "0.0.0.0:0"]).2, 2);
    let (none, path) = (directory("none"), "--dir");
    assert_eq!(tollgate(&["serve-jwks", path, none.to_str().unwrap()]).2, 2);
    let (help, ..) = tollgate(&["mint", "--help"]);
    assert!(help.contains("development") && help.contains("Not for production"), "{help}");
}

/// The payload of a token.
fn payload(token: &str) -> Value {
    let encoded = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&tollgate::base64url::decode(encoded.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_lifetime_is_a_number_of_seconds_or_a_duration() {
    let folder = directory("lifetime");
    let dir = folder.to_str().unwrap();
    let mint = |text| tollgate(&["mint", "--dir", dir, "--expires-in", text]);
    for (text, seconds) in [
        ("600", 600),
        ("0", 0),
        ("-3600", -3600),
        ("90s", 90),
        ("10m", 600),
        ("24h", 86_400),
        ("-5m", -300),
    ] {
        let (token, errors, code) = mint(text);
        assert_eq!(code, 0, "{text}: {errors}");
        let claims = payload(&token);
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lifetime, seconds, "{text}");
    }
    for text in ["", "-", "--5m", "1d", "1.5h", "500ms", "h", "18446744073709551615h"] {
        let (_, errors, code) = mint(text);
        let allowed =
            "allowed: seconds, or a whole number with s, m or h, as in 600, 10m, 24h or -5m";
        assert!(code == 2 && errors.contains(allowed), "{text}: {errors}");
    }
}

#[test]
fn a_claim_is_json_or_text_but_no_list_with_a_mistake() {
    let folder = directory("claims");
    let dir = folder.to_str().unwrap();
    let mint = |claim| tollgate(&["mint", "--dir", dir, "--claim", claim]);
    for (claim, value) in [
        (r#"roles=["A","B"]"#, json!(["A", "B"])),
        ("roles=A", json!("A")),
        ("roles=a [b]", json!("a [b]")),
        (r#"roles="[A]""#, json!("[A]")),
        ("roles=7", json!(7)),
    ] {
        assert_eq!(payload(&mint(claim).0)["roles"], value, "{claim}");
    }
    for claim in ["roles=[A]", "roles=['A']", r#"roles=["A"#, "roles={a: 1}"] {
        let (told, errors, code) = mint(claim);
        let says = "--claim: roles begins like JSON, and is none: ";
        assert!(code == 2 && told.is_empty() && errors.contains(says), "{claim}: {errors}");
    }
}

#[test]
fn schema_and_completions_are_printed() {
    let (schema, _, code) = tollgate(&["schema"]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!((code, schema), (0, tollgate::config::json_schema()));
    for shell in ["bash", "zsh", "fish"] {
        let (script, _, code) = tollgate(&["completions", shell]);
        assert!(code == 0 && script.contains("serve-jwks"), "{shell}");
    }
}
