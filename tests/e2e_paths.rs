//! Paths with more than one reading, with every setting of Envoy that rewrites them: a protected
//! path is not reached without a token, judged by the requests at the upstream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use support::paths::readings;
use support::prelude::*;

/// Ways from the public part to the protected one, and paths that only look like one.
fn targets() -> Vec<Vec<u8>> {
    let mut targets = BTreeSet::new();
    // Spellings of a step up, of a slash and of the name itself, in every combination.
    let up = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..;",
        "..;x=1",
        "%2e%2e;",
        ";/..",
        "..%00",
        "..%3b",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%f0%80%80%ae%f0%80%80%ae",
        "%f8%80%80%80%ae%f8%80%80%80%ae",
        "%25%32%65%25%32%65",
        "%2%35%32%65.",
        "%u002e%u002e",
        "..%09",
        "..%20",
        "..\\",
        "..%5c",
        ".",
    ];
    let slash = [
        "/",
        "//",
        "%2f",
        "%2F",
        "\\",
        "%5c",
        "%252f",
        "/./",
        "/;/",
        "%c0%af",
        "%e0%80%af",
        "%25%32%66",
        "///",
    ];
    for up in up {
        for slash in slash {
            targets.insert(format!("/public{slash}{up}{slash}admin"));
        }
        targets.insert(format!("/public/a/../{up}/admin"));
        targets.insert(format!("/public/{up}/admin?x=/public"));
    }
    for slash in slash {
        for name in [
            "admin",
            "%61dmin",
            "admi%6e",
            "%2561dmin",
            "%25%36%31dmin",
            "%c1%a1dmin",
            "%e0%81%a1dmin",
            "admin;x",
            "admin%3bx",
            "admin%00",
        ] {
            targets.insert(format!("{slash}{name}"));
            targets.insert(format!("/{slash}{name}/x"));
            targets.insert(format!("/admin{slash}x"));
        }
    }
    for more in [
        "/admin",
        "/admin/",
        "/admin?",
        "/admin#",
        "/admin/x",
        "/admin;x=1/",
        "/admin;/x",
        "/a;/admin",
        "/;/admin",
        "/..;/admin",
        "/.;/admin",
        "/./admin",
        "/.//admin",
        "/admin/.",
        "/admin/..;/admin",
        "/public#/../admin",
        "/public#/../../admin",
        "/public?/../admin",
        "/public;/../admin",
        "/public;x=/../admin",
        "/public%23/../admin",
        "/public%3f/../admin",
        "/public/%2e%2e%2fadmin",
        "/public/..%2fadmin",
        "/public/..%252fadmin",
        "/public/%2e%2e%5cadmin",
        "/public/..%c0%afadmin",
        "/public/..%ef%bc%8fadmin",
        "/%ef%bc%8fadmin",
        "/public/\u{ff0e}\u{ff0e}/admin",
        "/public/\u{2024}\u{2024}/admin",
        "/\u{ff41}dmin",
        "/admi\u{ff4e}",
        "/ADMIN",
        "/Admin",
        "/aDmIn/x",
        "/admin%",
        "/admin%2",
        "/admin%zz",
        "/admin%0a",
        "/admin%0d%0a",
        "/admin%20",
        "/admin%09",
        "/admin.",
        "/admin..",
        "/admin...",
        "/admin~",
        "/admin%2e",
        "/admin.json",
        "/admin,x",
        "/admin=x",
        "/admin:80",
        "/admin@x",
        "/admin*",
        "/admin&x",
        "/admin+",
        "/admin%2b",
        "/admin%3f",
        "/admin%23",
        "http://ml.example.com/admin",
        "http://ml.example.com//admin",
        "http://evil/public/../admin",
        "https://ml.example.com/admin",
        "//ml.example.com/admin",
        "//evil/../admin",
        "/http://x/../admin",
        "/public/http://x/../../admin",
        "/public/%",
        "/public/%2",
        "/public/%g0",
        "/public/%00/../admin",
        "/public/.%00./admin",
        "/public/%2e%00%2e/admin",
        "/public/%0a/../admin",
        "/public/\u{7f}/../admin",
        "/public/%7f/../admin",
        "/public/a%2f..%2f..%2fadmin",
        "/public/a/..;/..;/admin",
        "/public/a/.%2e/.%2e/admin",
        "/public/....//admin",
        "/public/.../admin",
        "/public/..../admin",
        "/public/..%3b/admin",
        "/public/..%253b/admin",
        "/public/%2e%2e%3b/admin",
        "/public/;/../admin",
        "/public//../admin",
        "/public///../../admin",
        "/public/./../admin",
        "/public/.%2f../admin",
        "/public/..//admin",
        "/public/../admin/",
        "/public/../admin;x",
        "/public/../%61dmin",
        "/public/../ADMIN",
        "/public/..?/admin",
        "/public/..#/admin",
        "/public/../public/../admin",
        "/public",
        "/public/",
        "/public/a",
        "/public/a;x=1",
        "/public/a;x=../b",
        "/public/%61",
        "/public/a%20b",
        "/public/admin",
        "/public/a?next=/../admin",
        "/public/a..b",
        "/public/...",
        "/",
        "/?",
        "*",
    ] {
        targets.insert(more.to_owned());
    }
    let mut targets: Vec<Vec<u8>> = targets.into_iter().map(String::into_bytes).collect();
    for raw in [
        &b"/public/\x80/../admin"[..],
        b"/public/\xc0\xae\xc0\xae/admin",
        b"/admin\xff",
        b"/\xfe/../admin",
    ] {
        targets.push(raw.to_vec());
    }
    targets
}

/// Whether some server would take the path for the protected one.
fn protected(path: &str) -> Option<String> {
    readings(path).into_iter().find(|path| path == "/admin" || path.starts_with("/admin/"))
}

#[test]
fn the_readings_see_through_what_servers_see_through() {
    for path in [
        "/admin",
        "/public/../admin",
        "/public/..%2fadmin",
        "/public/%2e%2e/admin",
        "/public/..;/admin",
        "//admin",
        "/admin;x",
        "/%61dmin",
        "/%2561dmin",
        "\\admin",
        "/public%5c..%5cadmin",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%252e%252e/admin",
        "/public/%25%32%65%25%32%65/admin",
        "/public/%e0%80%ae%e0%80%ae/admin",
        "/public/%f0%80%80%ae%f0%80%80%ae/admin",
        "/%c1%a1dmin",
        "/%e0%81%a1dmin",
        "/admin%00",
        "/./admin",
        "/;/admin",
    ] {
        assert!(protected(path).is_some(), "{path}");
    }
    for path in ["/public", "/public/admin", "/public/a..b/admin", "/", "/administrator", "*"] {
        assert_eq!(protected(path), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_path_is_never_reached_without_a_token() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let token = fixture.token("alice");
    let sections = json!({
        "rules": [
            {"name": "public", "match": {"paths": ["/", "/public/**"]}, "auth": "none"},
            {"name": "admin", "match": {"paths": ["/admin/**"]}},
            // All other paths are open to any caller.
            {"name": "any", "match": {"paths": ["/*", "/*/*"]}, "auth": "optional"},
        ],
    });
    let targets = targets();
    assert!(targets.len() > 400, "{}", targets.len());
    let mut settings = Vec::new();
    for normalize in [false, true] {
        for merge in [false, true] {
            for slashes in ["KEEP_UNCHANGED", "UNESCAPE_AND_FORWARD"] {
                settings.push((normalize, merge, slashes));
            }
        }
    }
    settings.push((true, true, "REJECT_REQUEST"));
    settings.push((true, true, "UNESCAPE_AND_REDIRECT"));
    for (normalize, merge, slashes) in settings {
        let envoy = fixture
            .envoy(sections.clone())
            .hcm(json!({
                "normalize_path": normalize, "merge_slashes": merge,
                "path_with_escaped_slashes_action": slashes,
            }))
            .start()
            .await;
        let what = format!("normalize {normalize}, merge {merge}, {slashes}");
        let with = Request::get("/admin/x").bearer(&token);
        assert_eq!(envoy.send(&with).await.status, 200, "{what}");
        let without = envoy.send(&Request::get("/admin/x")).await;
        assert_eq!(without.status, 401, "{what}");
        fixture.upstream.clear();
        let mut connection = Connection::open(envoy.address()).await;
        for target in &targets {
            // Envoy may close the connection after an invalid request line.
            let _ = connection.try_send(&Request::get(target).to_bytes()).await;
        }
        let seen = fixture.upstream.requests();
        assert!(seen.len() > 15, "{what}: only {} passed", seen.len());
        for request in seen {
            let reading = protected(&request.path);
            assert_eq!(reading, None, "{what}: {} was passed", request.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_a_path_do_not_choose_the_rule() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rules = json!([
        {"name": "admin", "match": {"paths": ["/admin/**"]}},
        {"name": "matrix", "match": {"paths": ["/m;v=1"]}, "auth": "none"},
        {"name": "rest", "match": {"paths": ["/**"]}, "auth": "none"},
    ]);
    let mut envoy = fixture.envoy(json!({"rules": rules})).start().await;
    let check = async |envoy: &Envoy, path: &str, status: u16, reason: &str| {
        let response = envoy.send(&Request::get(path)).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{path}");
    };
    for (path, status, reason) in [
        ("/a;x=1", 200, ""),
        ("/a;x=1/b;y", 200, ""),
        ("/admin;x=1", 400, "path_ambiguous"),
        ("/admin;x/y", 400, "path_ambiguous"),
        ("/admin%3bx", 400, "path_ambiguous"),
        ("/admin/a;x", 401, "token_missing"),
        ("/m;v=1", 400, "path_ambiguous"),
        ("/a/%252e%252e/b", 400, "path_ambiguous"),
        ("/a/%25%32%65%25%32%65/b", 400, "path_ambiguous"),
        ("/a/%e0%80%ae/b", 400, "path_ambiguous"),
        ("/a/%e0%a0%80/b", 200, ""),
        ("/a%25zz", 200, ""),
    ] {
        check(&envoy, path, status, reason).await;
    }
    let lax = fixture.config(json!({"rules": rules, "ambiguous_paths": "allow"}));
    assert_eq!(envoy.reload(lax).await, Push::Accepted);
    for (path, status, reason) in [
        ("/a;x=1", 200, ""),
        ("/admin;x=1", 401, "token_missing"),
        ("/admin;x/y", 401, "token_missing"),
        ("/admin%3Bx", 401, "token_missing"),
        ("/admin/a;x", 401, "token_missing"),
        ("/a/%252e%252e/b", 200, ""),
    ] {
        check(&envoy, path, status, reason).await;
    }
}
