//! Names and values of headers, and methods.

use support::prelude::*;
use support::servers::Kind;

use super::judge::{FORGED, SPOOF};
use super::paths;
use super::row::Row;

/// Every byte of a name that is no letter or digit (RFC 9110 §5.6.2): some server folds each.
const SEPARATORS: [char; 15] =
    ['-', '_', '.', '~', '!', '#', '$', '%', '&', '\'', '*', '+', '^', '`', '|'];

const OWNED: [&str; 4] =
    ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "x-tollgate-reason"];

/// The name with each pair of separators.
fn spellings(name: &str) -> Vec<String> {
    let words: Vec<_> = name.split('-').collect();
    let pairs = SEPARATORS.iter().flat_map(|a| SEPARATORS.iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| format!("{}{a}{}{b}{}", words[0], words[1], words[2])).collect()
}

/// A request with many headers of ours, each spelled in another way.
pub fn spoofs(kind: Kind) -> Vec<Row> {
    let names: Vec<_> = OWNED.iter().flat_map(|name| spellings(name)).collect();
    let target = paths::protected(kind).0[0];
    let mut rows = Vec::new();
    let mixed = |name: &str| {
        let letter = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c };
        name.chars().enumerate().map(letter).collect::<String>()
    };
    for names in names.chunks(45) {
        let with = |mut row: Row, spell: &dyn Fn(&str) -> String| {
            for (number, name) in names.iter().enumerate() {
                row = row.header(spell(name), format!("{SPOOF}-{number}"));
            }
            row
        };
        let lower = |name: &str| name.to_owned();
        let upper = |name: &str| name.to_uppercase();
        let verified = || Row::new(paths::request(kind, target)).token().served();
        rows.push(with(verified(), &lower));
        rows.push(with(verified(), &upper));
        rows.push(with(verified(), &mixed));
        rows.push(with(verified().h2(), &lower));
        if anonymous(kind) {
            rows.push(with(Row::get("/public/x").served(), &lower));
            rows.push(with(Row::get("/public/x").served(), &upper));
            rows.push(with(Row::get("/optional").h2(), &lower));
        }
        // RFC 9110 §6.5: trailers are fields. They are removed, or the request is refused.
        let mut request = paths::request(kind, target);
        request.headers.retain(|(name, _)| name != b"content-length");
        let mut body = match request.body.len() {
            0 => b"0\r\n".to_vec(),
            length => [format!("{length:x}\r\n").as_bytes(), &request.body, b"\r\n0\r\n"].concat(),
        };
        let mut h2 = Row::new(paths::request(kind, target)).token().h2();
        for (number, name) in names.iter().enumerate() {
            body.extend(format!("{name}: {SPOOF}-{number}\r\n").into_bytes());
            h2 = h2.trailer(name, &format!("{SPOOF}-{number}"));
        }
        body.extend(b"\r\n");
        let h1 = Request { body, ..request }.header("transfer-encoding", "chunked");
        rows.push(Row::new(h1).token());
        rows.push(h2.clone());
        if anonymous(kind) {
            rows.push(Row { token: false, request: Request::post("/public/x", "body"), ..h2 });
        }
    }
    for name in OWNED {
        let verified = || Row::new(paths::request(kind, target)).token().served();
        rows.push(verified().header(name, SPOOF).header(name, SPOOF));
        rows.push(verified().header("connection", name));
        rows.push(verified().header("te", "trailers").header("connection", format!("te, {name}")));
    }
    // Envoy removes the headers that `connection` names (RFC 9110 §7.6.1), the token as well.
    let named = Row::new(paths::request(kind, target)).token();
    rows.push(named.header("connection", "authorization").refused(401));
    rows
}

/// Whether the program is called for an open path.
fn anonymous(kind: Kind) -> bool {
    !matches!(kind, Kind::AzureMl | Kind::Mlflow)
}

/// Tokens that no key verified, as a program may read them. Only what is well formed is the token
/// that a rule asks for; everything else must not be left to the program either.
pub fn tokens(kind: Kind) -> Vec<Row> {
    let values = [
        format!("Bearer {FORGED}"),
        format!("bearer {FORGED}"),
        format!("BEARER  {FORGED}"),
        format!("Bearer\t{FORGED}"),
        format!("Bearer \t {FORGED}"),
        format!("bearer\t\t{FORGED}"),
    ];
    let mut rows = Vec::new();
    let targets: &[&str] =
        if anonymous(kind) { &["/public/x", "/optional", "/x"] } else { &["/score"] };
    for target in targets {
        for value in &values {
            rows.push(Row::new(paths::request(kind, target)).header("authorization", value));
            rows.push(Row::new(paths::request(kind, target)).h2().header("authorization", value));
        }
        // A no-break space is white space to Python, in the Latin-1 of WSGI.
        let odd = [b"Bearer\xa0", FORGED.as_bytes()].concat();
        rows.push(Row::new(paths::request(kind, target)).header("authorization", odd));
        for separator in SEPARATORS {
            let name = format!("x{separator}user{separator}token");
            let row = || Row::new(paths::request(kind, target));
            rows.push(row().header(&name, FORGED));
            rows.push(row().h2().header(&name, FORGED));
            rows.push(row().token().header(&name, FORGED));
        }
    }
    rows
}

/// How many things a request says it brings, for a rule that charges by a header.
pub fn batches(kind: Kind) -> Vec<Row> {
    let target = paths::protected(kind).0[0];
    let row = || Row::new(paths::request(kind, target)).token().header("x-mode", "batch");
    let mut rows = vec![row().served(), row().header("x-batch", "7").served()];
    for separator in SEPARATORS {
        let name = format!("x{separator}batch");
        rows.push(row().header(&name, "50"));
        rows.push(row().header("x-batch", "1").header(&name, "50"));
        rows.push(row().header(&name, "50").header("x-batch", "1"));
        rows.push(row().h2().header("x-batch", "1").header(&name, "50"));
        rows.push(row().h2().header(name.to_uppercase().to_lowercase(), "50"));
        rows.push(row().header(name.to_uppercase(), "50").header("X-Batch", "1"));
    }
    for value in [
        "50",
        "+50",
        "5_0",
        "050",
        " 50",
        "50 ",
        "1, 50",
        "50,1",
        "1;50",
        "5e1",
        "0x32",
        "50.0",
        "1 50",
        "\"50\"",
        "",
        "-50",
        "1e1",
        "00000000000000000050",
        "99999999999999999999",
    ] {
        rows.push(row().header("x-batch", value));
    }
    rows
}

/// Methods that servers answer by themselves, and how they may be written.
pub fn methods(kind: Kind) -> Vec<Row> {
    let protected = paths::protected(kind).0[0];
    let mut rows = Vec::new();
    for target in [protected, "/", "/public/x", "/score", "*"] {
        for method in ["TRACE", "TRACK"] {
            let request = Request::new(method, target);
            // Envoy itself refuses requests for `*`, and TRACK over HTTP/1.1.
            let ours = target != "*" && method == "TRACE";
            let refused = |row: Row| if ours { row.refused(405) } else { row };
            rows.push(refused(Row::new(request.clone()).token()));
            rows.push(refused(Row::new(request.clone())));
            if target != "*" {
                rows.push(Row::new(request).token().h2().refused(405));
            }
        }
        for method in [
            "trace",
            "Trace",
            "TRACE ",
            "DEBUG",
            "OPTIONS",
            "HEAD",
            "PROPFIND",
            "get",
            "Get",
            "CONNECT",
            "PRI",
            "TRACETRACE",
            "SOURCE",
            "PURGE",
        ] {
            rows.push(Row::new(Request::new(method, target)));
            rows.push(Row::new(Request::new(method, target)).token());
            let h2 = target != "*" && !method.contains(' ') && method != "CONNECT";
            if h2 {
                rows.push(Row::new(Request::new(method, target)).h2());
                rows.push(Row::new(Request::new(method, target)).h2().token());
            }
        }
        for name in ["x-http-method-override", "x-http-method", "x-method-override", "_method"] {
            rows.push(Row::new(paths::request(kind, target)).token().header(name, "TRACE"));
            rows.push(Row::new(Request::get(target)).header(name, "TRACE"));
        }
        rows.push(Row::new(Request::new("TRACE", target)).header("max-forwards", "0").token());
    }
    rows
}
