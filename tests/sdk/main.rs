//! Real SDKs before the filter, each from its package: what their users see of a refusal, how often the SDK asks again,
//! and whether it waits as it is told. docs/clients.md is generated from the run.
//!
//! `make sdk` installs them (scripts/install/sdk). The programs that call them are under tests/data/sdk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod clients;
mod login;
mod page;
mod sample;
mod server;
mod storm;

use std::path::Path;
use std::process::Command;

use clients::{CLIENTS, Client};
use server::{CASES, Case, Server};
use support::example::Folder;
use support::prelude::*;
use support::skip;

/// How many clients run at once: most of their time they wait to retry.
const AT_ONCE: usize = 3;

/// What came of one case with one client.
struct Seen {
    case: &'static Case,
    /// The class of the error; empty where the call passed.
    class: String,
    text: String,
    seconds: f64,
    /// How many of its requests were refused.
    refused: usize,
}

impl Seen {
    /// Whether the user of the client can read the reason, and the sentence.
    fn shows(&self) -> (bool, bool) {
        (self.text.contains(self.case.reason), self.text.contains(self.case.sentence))
    }
}

/// A client, its version, and what came of each case.
struct Run {
    client: &'static Client,
    version: String,
    seen: Vec<Seen>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make sdk: the SDKs must have been installed"]
async fn users_of_real_sdks_read_the_reason_and_no_sdk_sleeps_for_an_hour() {
    if let Some(client) = CLIENTS.iter().find(|client| !client.language.installed()) {
        skip::absent(&format!("{} is absent: run `make sdk`", client.name));
        return;
    }
    let Some(server) = Server::start().await else { return };
    let mut printed = Vec::new();
    for clients in CLIENTS.chunks(AT_ONCE) {
        let started = clients.iter().map(|client| {
            let jobs: Vec<_> = CASES.iter().map(|case| server.job(client, case)).collect();
            let program = client.language.program();
            tokio::task::spawn_blocking(move || call(client, &program, &json!(jobs)))
        });
        for call in started.collect::<Vec<_>>() {
            printed.push(call.await.unwrap());
        }
    }
    let log = server.log().await;
    let runs: Vec<_> = CLIENTS.iter().zip(&printed).map(|(c, lines)| run(c, lines, &log)).collect();
    let mut wrong = Vec::new();
    for run in &runs {
        for seen in &run.seen {
            let Seen { case, class, text, seconds, refused } = seen;
            let line =
                format!("{} {} {class} {refused} {seconds} {text:?}", run.client.name, case.name);
            eprintln!("{line}");
            wrong.extend(run.client.wrong(seen).map(|why| format!("{why}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    page::current(&runs);
}

/// What the script of a client prints of these cases. `program`: what runs it.
fn call(client: &Client, program: &Path, jobs: &Value) -> Vec<Value> {
    let folder = Folder::new();
    let jobs = std::fs::File::open(folder.file("jobs.json", jobs.to_string())).unwrap();
    let mut command = Command::new(program);
    command.arg(client.language.script()).arg(client.call).stdin(jobs);
    let output = command.current_dir(client.language.folder()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = printed.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.len(), CASES.len(), "{}: {errors}", client.name);
    lines
}

fn run(client: &'static Client, lines: &[Value], log: &[Value]) -> Run {
    let seen = CASES.iter().zip(lines).map(|(case, line)| {
        assert_eq!(line["case"], case.name);
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        Seen {
            case,
            class: text("class"),
            text: text("text"),
            seconds: line["seconds"].as_f64().unwrap(),
            refused: server::refused(log, client, case),
        }
    });
    Run { client, version: lines[0]["version"].as_str().unwrap().to_owned(), seen: seen.collect() }
}
