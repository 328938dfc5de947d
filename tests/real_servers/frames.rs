//! Framing of requests, and refusals before a program may act.

use support::prelude::*;
use support::servers::Kind;

use super::judge::HIDDEN;
use super::paths::{self, BODY};
use super::row::Row;

/// Forms of chunks and lengths, each with a request for what is protected in what one reader takes
/// for the body and another for the next request.
pub fn rows(kind: Kind) -> Vec<Row> {
    let protected = paths::protected(kind).0[0];
    let (target, token) = match kind {
        Kind::AzureMl | Kind::Mlflow => (protected, true),
        _ => ("/public/x", false),
    };
    let (name, method) = (kind.name(), paths::protected(kind).1);
    let size = BODY.len();
    let hidden = format!(
        "{method} {protected} HTTP/1.1\r\nHost: ml.example.com\r\nx-server: {name}\r\n\
         x-case: {HIDDEN}-{name}\r\ncontent-type: application/json\r\n\
         content-length: {size}\r\n\r\n{BODY}"
    );
    let length = hidden.len();
    let post = |headers: &[(&str, &str)], body: String| {
        let mut row = Row::new(Request::new("POST", target)).fresh();
        row.token = token;
        row.request.body = body.into_bytes();
        for (name, value) in headers {
            row = row.header(name, value);
        }
        row.header("content-type", "application/json")
    };
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let all = (size + length).to_string();
    let (content_length, transfer) = ("content-length", "transfer-encoding");
    let mut rows = vec![
        post(&[(content_length, &size.to_string())], BODY.to_owned()).served(),
        post(&[(transfer, "chunked")], chunk(BODY)).served(),
        post(&[(transfer, "chunked")], format!("{size:05X};a=b\r\n{BODY}\r\n000\r\n\r\n")),
    ];
    // The end of the first body, and the bytes after it on the connection.
    for (headers, body) in [
        (vec![(content_length, all.as_str()), (transfer, "chunked")], chunk("") + &hidden),
        (vec![(transfer, "chunked"), (content_length, "5")], chunk(BODY) + &hidden),
        (vec![(content_length, "0"), (content_length, &all)], BODY.to_owned() + &hidden),
        (vec![(content_length, &all), (content_length, "0")], BODY.to_owned() + &hidden),
        (vec![(content_length, "0, 0")], hidden.clone()),
        (vec![(content_length, "+0")], hidden.clone()),
        (vec![(content_length, "-1")], hidden.clone()),
        (vec![(content_length, "0x0")], hidden.clone()),
        (vec![(content_length, "00")], hidden.clone()),
        (vec![(content_length, "")], hidden.clone()),
        (vec![("content_length", &all), (content_length, "0")], hidden.clone()),
        (vec![("content~length", &all), (content_length, "0")], hidden.clone()),
        (vec![("transfer_encoding", "chunked"), (content_length, &all)], chunk("") + &hidden),
        (vec![("transfer~encoding", "chunked"), (content_length, &all)], chunk("") + &hidden),
    ] {
        rows.push(post(&headers, body));
    }
    for coding in [
        "Chunked",
        "CHUNKED",
        "chunked ",
        " chunked",
        "\tchunked",
        "chunked;",
        "chunked;q=1",
        "xchunked",
        "identity",
        "chunked, identity",
        "identity, chunked",
        "chunked, chunked",
        "gzip, chunked",
        "chunked\u{b}",
        "\"chunked\"",
        "",
        ",chunked",
        "x",
    ] {
        rows.push(post(&[(transfer, coding)], chunk(BODY)));
        rows.push(post(&[(transfer, coding)], chunk("") + &hidden));
        rows.push(post(&[(transfer, coding), (content_length, &all)], chunk("") + &hidden));
        rows.push(post(&[(transfer, "chunked"), (transfer, coding)], chunk("") + &hidden));
        rows.push(post(&[(transfer, coding), (transfer, "chunked")], chunk("") + &hidden));
    }
    for start in [
        "0\n\n",
        "0\r\n\n",
        "0\n\r\n",
        "0\r\r\n\r\n",
        "0;\r\n\r\n",
        "0;a\r\n\r\n",
        "0 \r\n\r\n",
        " 0\r\n\r\n",
        "0x0\r\n\r\n",
        "+0\r\n\r\n",
        "-0\r\n\r\n",
        "00000000000000000000\r\n\r\n",
        "0;a=\"\r\n\r\n\"\r\n\r\n",
        "0;\n\r\n\r\n",
        "0;a=b\rc\r\n\r\n",
        "\r\n0\r\n\r\n",
        "100000000000000000\r\n",
        "ffffffffffffffff\r\n",
        "-1\r\n",
        "0_0\r\n\r\n",
        "0\r\nx: y\r\n\r\n",
        "0\r\nhost: secret.example.com\r\n\r\n",
        "0\r\ncontent-length: 5\r\n\r\n",
        "0\r\n x\r\n\r\n",
        "0\r\nx\r\n\r\n",
        "0\r\n: x\r\n\r\n",
        "1\r\nxy0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "2\r\nx\r\n0\r\n\r\n",
        "1;\nx\r\n0\r\n\r\n",
    ] {
        rows.push(post(&[(transfer, "chunked")], format!("{start}{hidden}")));
    }
    for expect in ["100-continue", "100-Continue", "100-continue, x", "x", "", "200-ok"] {
        let length = BODY.len().to_string();
        rows.push(post(&[(content_length, &length), ("expect", expect)], BODY.to_owned()));
        rows.push(post(&[(content_length, "0"), ("expect", expect)], hidden.clone()));
        rows.push(post(&[(transfer, "chunked"), ("expect", expect)], chunk(BODY)));
    }
    for (name, value) in [
        ("upgrade", "h2c"),
        ("upgrade", "websocket"),
        ("upgrade", "TLS/1.0"),
        ("upgrade", "HTTP/2.0"),
    ] {
        let row = post(&[(content_length, "0"), ("connection", "upgrade")], hidden.clone());
        rows.push(row.header("http2-settings", "AAMAAABkAAQAAP__").header(name, value));
    }
    for line in [" folded: x", "x : y", "x\u{0}: y", "x: y\rz: w", "x:\u{0}", ": x", "x"] {
        let mut row = post(&[], String::new());
        row.request.headers.push((line.into(), Vec::new()));
        row.request.body = hidden.clone().into_bytes();
        rows.push(row);
    }
    rows
}

/// Requests that are refused before they begin. The body comes a moment after the head, for a program
/// may act on the head. `bodies`: also where only the body shows it.
pub fn refused(kind: Kind, bodies: bool) -> Vec<Row> {
    let path = if kind == Kind::Mlflow { "/invocations" } else { "/score" };
    let post = |body: &str| Row::new(Request::post(path, body)).late_body();
    let json = |body: &str| post(body).header("content-type", "application/json");
    let mut rows = Vec::new();
    for _ in 0..4 {
        rows.push(json(BODY).token().served());
    }
    let expecting = |row: Row| row.header("expect", "100-continue");
    rows.push(json(BODY).refused(401));
    rows.push(expecting(json(BODY)).refused(401));
    rows.push(json(BODY).header("authorization", "Bearer a.b.c").refused(401));
    rows.push(json(BODY).header("authorization", "Bearer\ta.b.c").refused(401));
    rows.push(json(BODY).header("x-user-token", "a.b.c").token().refused(400));
    rows.push(post(BODY).header("content-type", "text/plain").token().refused(415));
    rows.push(expecting(post(BODY).header("content-type", "text/plain")).token().refused(415));
    // A gRPC client gets a status of 200; a client that only looks like one gets the refusal.
    for media in ["application/grpcfoo", "application/grpc-webfoo", "application/grpc;x"] {
        rows.push(post(BODY).header("content-type", media).refused(401));
    }
    let target = format!("{path}%2f..%2f..{path}");
    rows.push(Row::new(Request::post(target, BODY)).late_body().token().refused(400));
    rows.push(Row::new(Request::new("TRACE", path)).token().refused(405));
    if bodies {
        for body in ["{", "{\"data\":1}", "[]", "{}", "{\"data\":[1],\"data\":[1]}", "\u{feff}"] {
            rows.push(json(body).token().refused(400));
            rows.push(expecting(json(body)).token().refused(400));
        }
        let many = r#"{"data":[1,2,3,4,5,6]}"#;
        rows.push(json(many).token().refused(413));
        rows.push(expecting(json(many)).token().refused(413));
        let large = format!("{{\"data\":[\"{}\"]}}", "x".repeat(300 << 10));
        rows.push(json(&large).token().refused(413));
        rows.push(expecting(json(&large)).token().refused(413));
        let chunked = format!("{:x}\r\n{many}\r\n0\r\n\r\n", many.len());
        let mut row = json("").token().refused(413);
        row.request.headers.retain(|(name, _)| name != b"content-length");
        row.request.body = chunked.into_bytes();
        rows.push(row.header("transfer-encoding", "chunked"));
    }
    rows
}

/// Twenty-three calls where three are in the limit. `mode`: which of the rules that charge without
/// the body.
pub fn limited(kind: Kind, mode: &str) -> Vec<Row> {
    let path = if kind == Kind::Mlflow { "/invocations" } else { "/score" };
    let row = Row::new(Request::post(path, BODY)).late_body().token();
    let row = row.header("content-type", "application/json").header("x-mode", mode);
    vec![row.header("x-batch", "10"); 23]
}
