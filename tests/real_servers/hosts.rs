//! Ways to a host that is not open without a token.

use support::prelude::*;
use support::servers::Kind;

use super::paths;
use super::row::Row;

/// Authorities of the open host and of internal ones, as no honest client writes them.
const AUTHORITIES: &[&str] = &[
    "public.example.com:1",
    "public.example.com:80",
    "public.example.com:443",
    "public.example.com:0",
    "public.example.com:",
    "public.example.com:x",
    "public.example.com:+80",
    "public.example.com:080",
    "public.example.com:99999999",
    "public.example.com:80:80",
    "public.example.com.",
    "public.example.com..",
    "public.example.com.:1",
    "public.example.com.:",
    ".public.example.com",
    "PUBLIC.EXAMPLE.COM:1",
    "Public.Example.Com.",
    "public.example.com@ml.example.com",
    "ml.example.com@public.example.com",
    "public.example.com#ml.example.com",
    "public.example.com?ml.example.com",
    "public.example.com/ml.example.com",
    "public.example.com,ml.example.com",
    "public.example.com ml.example.com",
    "public.example.com;x",
    "public.example.com%2e",
    "public.example.com%00",
    "public%2eexample.com",
    "[public.example.com]",
    "[::1]:80",
    "[::1",
    "secret.example.com",
    "secret.example.com:80",
    "secret.example.com:x",
    "secret.example.com:",
    "secret.example.com.",
    "secret.example.com..",
    "secret.example.com.:1",
    "SECRET.example.com",
    "SECRET.EXAMPLE.COM.:80",
    "secret~.example.com",
    "secret.example.com~",
    "%73ecret.example.com",
    "x@secret.example.com",
    "x:y@secret.example.com",
    "secret.example.com@x",
    "secret.example.com/x",
    "secret.example.com\\x",
    "secret.example.com,x",
    "secret.example.com#",
    "secret.example.com?",
    "a.internal.example.com",
    "A.Internal.Example.Com",
    "a.internal.example.com:1",
    "a.internal.example.com.",
    "a~b.internal.example.com",
    "a_b.internal.example.com",
    "a/b.internal.example.com",
    "a:1.internal.example.com",
    "a@b.internal.example.com",
    "a b.internal.example.com",
    "a%20b.internal.example.com",
    "*.internal.example.com",
    "-.internal.example.com",
    ".internal.example.com",
    "..internal.example.com",
    "a.b.c.internal.example.com",
    "[a.internal.example.com",
    "a].internal.example.com",
    "a'b.internal.example.com",
    "xn--.internal.example.com",
    "\u{e4}.internal.example.com",
    "\u{ff0e}internal.example.com",
    "a.internal.example.com:x:y",
    "public.example.com:@a.internal.example.com",
    "",
    ".",
    ":",
    ":80",
    "@",
];

pub fn rows(kind: Kind) -> Vec<Row> {
    // The model of MLflow sees no host, so that its calls cannot be told apart.
    if kind == Kind::Mlflow {
        return Vec::new();
    }
    let (protected, _) = paths::protected(kind);
    let open = paths::request(kind, protected[0]).host("public.example.com");
    let inside = paths::request(kind, protected[0]).host("secret.example.com");
    let mut rows = vec![
        Row::new(open).served(),
        Row::new(inside.clone()).refused(401),
        Row::new(inside).token().served(),
    ];
    // A path that is open for other hosts as well: the host alone decides.
    let targets = [protected[0], "/x"];
    for authority in AUTHORITIES {
        for target in targets {
            let request = paths::request(kind, target);
            rows.push(Row::new(request.clone().host(authority)));
            let absolute = format!("http://{authority}{target}");
            rows.push(Row::new(Request { target: absolute.into_bytes(), ..request.clone() }));
            let twice = request.clone().host("public.example.com").header("host", authority);
            rows.push(Row::new(twice));
            if kind == Kind::NodeH2 || kind == Kind::Go {
                rows.extend(h2(kind, authority, target));
            }
        }
    }
    rows
}

/// The authority as `:authority`, and beside another in `host`, where it is a URI at all.
fn h2(kind: Kind, authority: &str, target: &str) -> Option<Row> {
    format!("http://{authority}{target}").parse::<hyper::Uri>().ok()?;
    Some(Row::new(paths::request(kind, target).host(authority)).h2())
}
