//! `tollgate mint`: an issuer for development, with its keys in a directory.

pub mod keys;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::output::{self, Failure};
use keys::{Algorithm, Issuer};

/// Sign a token for development: anybody who can read the directory can sign as this issuer.
///
/// Keys are made at the first use, one for each algorithm, readable by their owner alone. Not for
/// production: nothing protects, rotates or revokes them.
#[derive(Args)]
pub struct Arguments {
    /// Where the keys are, or are to be.
    #[arg(long, value_name = "DIR", default_value = "tollgate-dev-keys")]
    dir: PathBuf,
    /// What the token is signed with.
    #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
    alg: Algorithm,
    /// The issuer; `serve-jwks` must be told the same.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8087")]
    issuer: String,
    /// Who the token is for.
    #[arg(long, value_name = "AUD", default_value = "api://scoring")]
    audience: String,
    /// Whose token it is.
    #[arg(long, value_name = "SUB", default_value = "developer")]
    subject: String,
    /// A further claim, in place of one of those above if it has its name. JSON where it can be
    /// read as such, else text; `NAME=` leaves a claim out.
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<String>,
    /// How long the token is valid, seconds; below zero it has expired.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, allow_negative_numbers = true)]
    expires_in: i64,
    /// The type in the token's header.
    #[arg(long, default_value = "JWT")]
    typ: String,
    /// Print the public keys (JWKS) in place of a token.
    #[arg(long)]
    jwks: bool,
    /// Print the token, its claims and the public keys as one JSON document.
    #[arg(long, conflicts_with = "jwks")]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let issuer = Issuer::open(&arguments.dir, arguments.alg)?;
    anstream::eprintln!("{}: a development issuer, not for production", output::doubtful("note"));
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
                let value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
                claims.insert(name.to_owned(), value);
            }
        }
    }
    Ok(claims)
}
