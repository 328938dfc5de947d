//! `tollgate mint`: signs tokens as an issuer for development, with keys in a directory.

pub mod keys;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use tollgate::config;

use crate::output::{self, Failure};
use keys::{Algorithm, Issuer};

/// Sign a token for development. Everyone who can read the directory can sign as this issuer.
///
/// The key of an algorithm is generated at its first use, and `--jwks` generates all of them, so that
/// one key set serves every later token. Only the owner can read them. Not for production: the keys
/// are not protected, rotated or revoked.
#[derive(Args)]
pub struct Arguments {
    /// The directory with the keys; keys that are missing are generated.
    #[arg(long, value_name = "DIR", default_value = "tollgate-dev-keys")]
    dir: PathBuf,
    /// The signing algorithm.
    #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
    alg: Algorithm,
    /// The issuer; give `serve-jwks` the same one.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8087")]
    issuer: String,
    /// The audience.
    #[arg(long, value_name = "AUD", default_value = "api://scoring")]
    audience: String,
    /// The subject.
    #[arg(long, value_name = "SUB", default_value = "developer")]
    subject: String,
    /// Another claim, or a replacement for one of those above. Parsed as JSON if possible, otherwise
    /// text, but for a list or an object that is not JSON; `NAME=` omits a claim.
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<String>,
    /// The lifetime: seconds, or a duration such as `10m` or `1h`; a negative one makes an expired token.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        value_parser = lifetime,
        allow_hyphen_values = true
    )]
    expires_in: i64,
    /// The `typ` of the header.
    #[arg(long, default_value = "JWT")]
    typ: String,
    /// Print the public keys (JWKS) instead of a token.
    #[arg(long)]
    jwks: bool,
    /// Print the token, its claims and the public keys as one JSON document.
    #[arg(long, conflicts_with = "jwks")]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let dir = &arguments.dir;
    let before = keys::present(dir);
    let issuer = Issuer::open(dir, arguments.alg)?;
    if arguments.jwks {
        keys::open_all(dir)?;
    }
    let note = output::doubtful("note");
    anstream::eprintln!("{note}: a development issuer, not for production");
    let mut made = keys::present(dir);
    made.retain(|name| !before.contains(name));
    if !made.is_empty() {
        let (names, dir) = (made.join(", "), std::path::absolute(dir).unwrap_or(dir.clone()));
        anstream::eprintln!("{note}: created keys in {}: {names}", dir.display());
    }
    if arguments.jwks {
        return output::json(&keys::jwks(&arguments.dir)?);
    }
    let claims = claims(arguments)?;
    let token = issuer.sign(&claims, &arguments.typ)?;
    match arguments.json {
        false => output::text(&format!("{token}\n")),
        true => output::json(&json!({
            "development": true,
            "token": token,
            "claims": claims,
            "jwks": keys::jwks(&arguments.dir)?,
        })),
    }
}

/// Reads seconds, or a duration as in the configuration; either may be negative.
fn lifetime(text: &str) -> Result<i64, String> {
    const ALLOWED: &str =
        "allowed: seconds, or a whole number with s, m or h, as in 600, 10m, 24h or -5m";
    let (sign, amount) = text.strip_prefix('-').map_or((1, text), |amount| (-1, amount));
    let seconds = match amount.bytes().all(|byte| byte.is_ascii_digit()) {
        true => amount.parse().ok(),
        false => config::duration(amount)
            .ok()
            .filter(|time| time.subsec_nanos() == 0)
            .map(|time| time.as_secs()),
    };
    let seconds = seconds.and_then(|seconds: u64| i64::try_from(seconds).ok());
    seconds.map(|seconds| seconds.saturating_mul(sign)).ok_or_else(|| ALLOWED.to_owned())
}

/// The value of `--claim`: JSON, or text. A list or an object with a mistake is not text.
fn value(name: &str, text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Err(error) if text.starts_with(['[', '{']) => Err(Failure::usage(format_args!(
            "--claim: {name} begins like JSON, and is none: {error}; in a shell, write --claim \
             '{name}=[\"…\"]'"
        ))),
        parsed => Ok(parsed.unwrap_or_else(|_| json!(text))),
    }
}

fn claims(arguments: &Arguments) -> Result<Map<String, Value>, Failure> {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(arguments.issuer));
    set("aud", json!(arguments.audience));
    set("sub", json!(arguments.subject));
    set("iat", json!(now));
    set("exp", json!(now.saturating_add(arguments.expires_in)));
    for entry in &arguments.claim {
        match entry.split_once('=') {
            None => return Err(Failure::usage("--claim: allowed: NAME=VALUE")),
            Some((name, "")) => drop(claims.remove(name)),
            Some((name, text)) => {
                claims.insert(name.to_owned(), value(name, text)?);
            }
        }
    }
    Ok(claims)
}
