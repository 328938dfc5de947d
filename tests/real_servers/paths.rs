//! Ways to a protected path without a token.

use std::collections::BTreeSet;

use support::prelude::*;
use support::servers::Kind;

use super::row::Row;

/// The protected path of each server, and the method that its program takes there.
pub fn protected(kind: Kind) -> (&'static [&'static str], &'static str) {
    match kind {
        Kind::AzureMl => (&["/score"], "POST"),
        Kind::Mlflow => (&["/invocations"], "POST"),
        _ => (&["/admin/x", "/secret"], "GET"),
    }
}

/// The body that a request to `/score` or `/invocations` has.
pub const BODY: &str = r#"{"inputs": {"a": [1], "b": [2]}, "data": [[1, 2]]}"#;

/// A request that the program of the server answers, once it is let in.
pub fn request(kind: Kind, target: impl AsRef<[u8]>) -> Request {
    match protected(kind).1 {
        "POST" => Request::post(target, BODY).header("content-type", "application/json"),
        method => Request::new(method, target),
    }
}

pub fn rows(kind: Kind) -> Vec<Row> {
    let (paths, _) = protected(kind);
    let mut rows = Vec::new();
    for path in paths {
        // The path is served; that the rest is not says something then.
        rows.push(Row::new(request(kind, path)).token().served());
        rows.push(Row::new(request(kind, path)).refused(401));
        rows.extend(targets(path).iter().map(|target| Row::new(request(kind, target))));
    }
    rows
}

/// Everything that some server may take for the path.
fn targets(path: &str) -> BTreeSet<Vec<u8>> {
    let mut targets = BTreeSet::new();
    let name = path.trim_start_matches('/');
    let (first, rest) = name.split_at(1);
    let mut add = |target: String| targets.insert(target.into_bytes());
    // Spellings of a step up, of a slash and of the name.
    let up = [
        "..",
        "%2e%2e",
        ".%2E",
        "%252e%252e",
        "%25%32%65%25%32%65",
        "%%32%65%%32%65",
        "..;",
        "..;x",
        "%2e%2e;",
        "..%00",
        "..%3b",
        "..%253b",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%f0%80%80%ae%f0%80%80%ae",
        "%u002e%u002e",
        "..%09",
        "..%20",
        "..\\",
        "..%5c",
        "%ef%bc%8e%ef%bc%8e",
        ".",
        "....",
        "..%0d",
    ];
    let slash = [
        "/",
        "//",
        "%2f",
        "\\",
        "%5c",
        "%252f",
        "%25%32%66",
        "/./",
        "/;/",
        "%c0%af",
        "%e0%80%af",
        "%ef%bc%8f",
    ];
    for up in up {
        for slash in slash {
            add(format!("/public{slash}{up}{slash}{name}"));
        }
        add(format!("/public/a/../{up}/{name}"));
        add(format!("/public/{up}/{name}?x=/public"));
    }
    let hex = first.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for name in [
        name.to_uppercase(),
        format!("{}{rest}", first.to_uppercase()),
        format!("%{hex}{rest}"),
        format!("%25{hex}{rest}"),
        format!("%2525{hex}{rest}"),
        format!("{first}{}", rest.to_uppercase()),
    ] {
        add(format!("/{name}"));
        add(format!("/public/../{name}"));
    }
    for prefix in ["/", "/./", "/;/", "/;x=1/", "/x/../", "/%2e/", "\\", "/%2f", "/%5c", "/%00"] {
        add(format!("{prefix}{path}"));
        add(format!("{prefix}{name}"));
    }
    for end in [
        "/",
        "//",
        "/.",
        "/./",
        "/;",
        "/..;/",
        "%2f",
        "%5c",
        "\\",
        ";",
        ";x",
        ";x=1",
        "%3b",
        "%3bx",
        "%00",
        "%20",
        "%09",
        "%0a",
        "%0d%0a",
        "?",
        "?x",
        "#",
        "#x",
        "%23",
        "%3f",
        ".",
        "%2e",
        "%",
        "%2",
        "%zz",
        "/x/..",
        "/%2e%2e/",
        "%2f..",
        "%ff",
        "%c0%af",
        ".json",
        "~",
        "*",
        "\u{3000}",
        "%e3%80%80",
        "%25",
        "%2525",
    ] {
        add(format!("{path}{end}"));
    }
    for host in
        ["http://ml.example.com", "https://ml.example.com", "http://ml.example.com/public/.."]
    {
        add(format!("{host}{path}"));
    }
    for before in ["/public#/..", "/public?/..", "/public%23/..", "/public%3f/..", "/public;/.."] {
        add(format!("{before}{path}"));
    }
    add(format!("//ml.example.com{path}"));
    add(format!("/http://ml.example.com{path}"));
    targets.insert([b"/public/\x80/..", path.as_bytes()].concat());
    targets.insert([b"/public/\xc0\xae\xc0\xae", path.as_bytes()].concat());
    targets.insert([path.as_bytes(), b"\xff"].concat());
    targets
}
