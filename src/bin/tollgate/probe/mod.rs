//! `tollgate probe`: sends one request and tells whether tollgate refused it.

mod answer;
mod call;
mod cause;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use tollgate::reason::Reason;

use crate::explain::cures;
use crate::output::{self, Failure, bad, good, plain};
use answer::Answer;
use call::Call;

/// Send one request without a token, and check that tollgate refuses it.
///
/// An endpoint that answers in another way is not protected, or refuses every request: the filter is
/// missing, its module or its configuration does not load, or another part answers first.
///
/// Exit codes: 0 if tollgate refused the request for the expected reason, 1 for any other answer or
/// none, 2 for an invalid command line.
#[derive(Args)]
pub struct Arguments {
    /// The address, with a path that requires a token.
    url: String,
    /// The expected reason.
    #[arg(long, value_name = "REASON", default_value = "token_missing", value_parser = reason)]
    expect: Reason,
    /// The method. A rule must match it: otherwise the reason is `no_rule`.
    #[arg(long, default_value = "GET")]
    method: Method,
    /// A request header; `host` replaces that of the address.
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// The time for the whole request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u16,
    /// A PEM file with the trusted authorities, instead of those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

fn reason(word: &str) -> Result<Reason, &'static str> {
    Reason::from_word(word).ok_or("this is no reason of tollgate (docs/runbook.md lists them)")
}

/// Sends the request and prints the result.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    // The messages of clap would show a password in the address, and the key in a header.
    let wrong = |option| move |why: String| Failure::usage(format_args!("{option}: {why}"));
    let headers = arguments.header.iter().map(|text| call::header(text));
    let headers = headers.collect::<Result<HeaderMap, _>>().map_err(wrong("--header"))?;
    let uri = &call::address(&arguments.url).map_err(wrong("URL"))?;
    let method = &arguments.method;
    let call = Call { uri, method, headers, roots: call::roots(uri, arguments.ca.as_deref())? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map_err(Failure::usage)?.block_on(async {
        let limit = Duration::from_secs(arguments.timeout.into());
        tokio::time::timeout(limit, call.send())
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())))
    });
    let found = Found::of(answer, arguments.expect);
    match arguments.json {
        true => output::json(&found.value(arguments))?,
        false => output::text(&found.text(arguments))?,
    };
    Ok(if found.cause.is_none() { ExitCode::SUCCESS } else { ExitCode::from(output::WRONG) })
}

/// What came back.
struct Found {
    status: Option<u16>,
    /// The reason, if the answer is tollgate's.
    reason: Option<Reason>,
    /// Why there is no answer.
    error: Option<String>,
    /// The usual cause, if this is not the expected answer.
    cause: Option<String>,
}

impl Found {
    fn of(answer: Result<Answer, String>, expected: Reason) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let cause = Some(cause::UNREACHABLE.to_owned());
                return Self { status: None, reason: None, error: Some(error), cause };
            }
        };
        let reason = answer.reason();
        let cause = match reason {
            Some(reason) if reason == expected => None,
            Some(reason) => Some(of_reason(reason)),
            None => Some(cause::of(&answer).to_owned()),
        };
        Self { status: Some(answer.status), reason, error: None, cause }
    }

    fn seen(&self) -> String {
        match (self.status, self.reason, &self.error) {
            (Some(status), Some(reason), _) => {
                format!("{status} {} from tollgate", reason.as_str())
            }
            (Some(status), None, _) => format!("{status}, not from tollgate"),
            (None, _, error) => format!("no answer: {}", error.as_deref().unwrap_or_default()),
        }
    }

    fn text(&self, arguments: &Arguments) -> String {
        let (method, url, seen) = (&arguments.method, &arguments.url, plain(&self.seen()));
        match &self.cause {
            None => format!("{}: {method} {url}: {seen}\n", good("ok")),
            Some(cause) => format!(
                "{}: {method} {url}: {seen}; expected {} from tollgate\n  usual cause: {cause}\n",
                bad("wrong"),
                arguments.expect.as_str(),
            ),
        }
    }

    fn value(&self, arguments: &Arguments) -> Value {
        json!({
            "url": arguments.url.to_string(),
            "method": arguments.method.as_str(),
            "expected": arguments.expect.as_str(),
            "ok": self.cause.is_none(),
            "status": self.status,
            "reason": self.reason.map(Reason::as_str),
            "error": self.error,
            "cause": self.cause,
        })
    }
}

/// The usual cause of another reason, from the runbook.
fn of_reason(reason: Reason) -> String {
    let cure = cures::of(reason);
    let cause = cure.and_then(|cure| cure.cause.or(Some(cure.happened))).unwrap_or_default();
    format!("{cause} (docs/runbook.md#{})", reason.as_str())
}
