use std::fmt::Write as _;

use super::*;
use crate::published_tests::current;
use crate::reply::document::{canonical, error_type};

const MARK: &str = "<!-- From here on generated from src/reply/outcome.rs: see its tests. -->\n";

/// `TOLLGATE_UPDATE=1 cargo test --lib published` writes the table.
#[test]
fn the_published_reasons_are_current() {
    current("docs/reasons.md", |found| {
        let (hand, _) = found.split_once(MARK).expect("the mark is in the page");
        [hand, MARK, &table()].concat()
    });
}

fn table() -> String {
    let mut page = String::from(
        "\n| Reason | Status | `error.type` | `error.status`, gRPC | `detail` |\n|---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let Outcome { status, grpc_status, sentence, .. } = outcome(reason);
        if sentence.is_empty() {
            continue;
        }
        let (kind, code) = (error_type(status), canonical(grpc_status));
        let word = reason.as_str();
        writeln!(
            page,
            "| [`{word}`](runbook.md#{word}) | {status} | `{kind}` | `{code}` {grpc_status} | {sentence} |"
        )
        .unwrap();
    }
    page
}
