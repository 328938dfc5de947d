//! Tokens, identities and hostile bytes in logs, metrics and spans.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_hashed_identity_appears_nowhere_downstream_but_by_its_hash() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let collector = Receiver::start().await;
    let sample = sample(&fixture).variable("TOLLGATE_HASH_KEY");
    let mut config = sample.plugin_config();
    config["privacy"] = json!({"hash_key_env": "TOLLGATE_HASH_KEY"});
    config["tags"] = json!([
        {"name": "identity", "value": "{@identity}", "header": "x-auth-identity", "hash": true},
        {"name": "subject", "value": "{sub}", "header": "x-auth-subject", "hash": true},
    ]);
    let sample = sample
        .plugin(&config)
        .with("opentelemetry", collector.address())
        .with("zipkin", zipkin.address());
    let envoy = start(&fixture, sample).await;
    let subject = "very-private-person";
    let token = fixture.token(subject);
    for path in ["/score", "/once", "/once"] {
        let request = Request::get(path).bearer(&token).header("x-auth-identity", subject);
        envoy.send(&request).await;
    }
    let hash = |value: &str| {
        let mac = hmac_sha256::HMAC::mac(value.as_bytes(), HASH_KEY.as_bytes());
        mac[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (identity, subject_hash) = (hash(&format!("https://issuer.test/{subject}")), hash(subject));
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));
    assert_eq!(seen.header("x-auth-subject"), Some(subject_hash.as_str()));
    let limited = envoy.access_after(2).await;
    assert_eq!(
        (&limited["Identity"], &limited["Reason"]),
        (&json!(identity), &json!("rate_limited"))
    );
    let found = async || {
        let (spans, logs) = (bodies(&zipkin), collector.received("/Export"));
        let both = contains(&spans, identity.as_bytes()) && contains(&logs, identity.as_bytes());
        both.then_some((spans, logs))
    };
    let (spans, logs) = eventually(found).await.expect("span and log record");
    for (place, bytes) in [
        ("spans", spans),
        ("log records", logs),
        ("upstream heads", fixture.upstream.requests().into_iter().flat_map(|r| r.head).collect()),
        ("audit lines", envoy.output_lines().concat()),
        ("Envoy's log", envoy.log().into_bytes()),
        ("scrape", scrape::of(&envoy).await.text.into_bytes()),
        ("statistics", envoy.admin_get("/stats").await.into_bytes()),
    ] {
        assert!(!contains(&bytes, subject.as_bytes()), "{place}");
        assert!(!contains(&bytes, HASH_KEY.as_bytes()), "{place}");
    }
}

/// All bodies that a server received, in one piece.
fn bodies(server: &Upstream) -> Vec<u8> {
    server.requests().into_iter().flat_map(|request| request.body).collect()
}

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.next(from.len())]
    }
}

/// Pieces that break lines, quotes, formats, encodings and terminals; the last four hold control
/// characters.
const BYTES: [&[u8]; 16] = [
    b"\"",
    b"\\",
    b"\\u000a",
    b"{\"a\":1}",
    b"%REQ(AUTHORIZATION)%",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"</script>",
    b"'; --",
    b"\xe2\x80\xa8",
    b"a",
    b"\x1b[2J",
    b"\x7f",
    b"\x01",
    b"\t",
];

const TEXTS: [&str; 14] = [
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{1f4a3}",
    "%0a",
    "%FILTER_STATE(x)%",
    "{",
];

/// The loggers of Envoy that print requests, as docs/runbook.md names them.
fn loggers_that_print_requests() -> Vec<String> {
    let runbook = std::fs::read_to_string(support::root().join("docs/runbook.md")).unwrap();
    let (_, list) = runbook.split_once("print requests, tokens included:").unwrap();
    let (list, _) = list.split_once(". ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_level_no_logger_but_those_that_the_runbook_names_prints_a_token() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    let set = async |what: String| {
        let request = Request::post(format!("/logging?{what}"), "");
        assert_eq!(client::send(envoy.admin_address(), &request).await.status, 200, "{what}");
    };
    set("level=trace".to_owned()).await;
    let quiet = loggers_that_print_requests();
    for logger in &quiet {
        set(format!("{logger}=info")).await;
    }
    let mut secrets = Vec::new();
    for case in cases(&fixture) {
        let value = |(_, value): &(Vec<u8>, Vec<u8>)| String::from_utf8_lossy(value).into_owned();
        let tokens = case.request.headers.iter().map(value).filter(|text| text.contains("eyJ"));
        secrets.extend(tokens.flat_map(|token| {
            token
                .split(['.', ' '])
                .filter(|part| part.len() > 20)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }));
        envoy.send(&case.request).await;
        client::send_h2(envoy.address(), case.request.h2()).await;
    }
    assert!(secrets.len() > 20, "{}", secrets.len());
    let log = envoy.log();
    assert!(log.lines().count() > 500, "trace is on");
    for line in log.lines() {
        assert!(!secrets.iter().any(|secret| line.contains(secret.as_str())), "{line}");
    }
    // Each logger of the list prints tokens.
    let printed = || envoy.log().matches("eyJ").count();
    for logger in &quiet {
        let before = printed();
        set(format!("{logger}=trace")).await;
        let request = &cases(&fixture)[0].request;
        envoy.send(request).await;
        client::send_h2(envoy.address(), request.h2()).await;
        let more = async || (printed() > before).then_some(());
        let found = eventually(more).await;
        assert!(found.is_some(), "{logger} prints no token: take it off");
        set(format!("{logger}=info")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_requests_are_as_many_json_lines_without_a_secret() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    fixture.upstream.record(false);
    client::send(envoy.admin_address(), &Request::post("/logging?wasm=trace", "")).await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut secrets = Vec::new();
    let requests: Vec<_> = (0..10_000)
        .map(|number| {
            // Envoy itself refuses control characters; most requests have none, to get to the
            // filter.
            let known = if number % 5 == 4 { &BYTES[..] } else { &BYTES[..12] };
            let mut bytes =
                || (0..6).flat_map(|_| numbers.pick(known).to_vec()).collect::<Vec<u8>>();
            let path = [b"/v1/", &bytes()[..]].concat();
            let path: Vec<u8> = path.into_iter().filter(|byte| *byte > b' ').collect();
            let mut request = Request::get(path)
                .header("user-agent", bytes())
                .header("x-ms-client-request-id", bytes())
                .header("azureml-model-deployment", bytes())
                .header("x-auth-identity", bytes());
            // Signing and verifying in a test build is slow: every tenth brings a token.
            if number % 10 == 0 {
                let subject: String = (0..8).map(|_| *numbers.pick(&TEXTS)).collect();
                let token = fixture.token(&subject);
                let signature = token.rsplit('.').next().unwrap().to_owned();
                secrets.push(signature);
                request.target = match number % 100 {
                    0 => format!("/v1/x?access_token={token}").into_bytes(),
                    _ => b"/v1/x".to_vec(),
                };
                let token = if number % 50 == 10 { format!("{token}x") } else { token };
                request = request.header("cookie", format!("access_token={token}")).bearer(token);
            }
            request
        })
        .collect();
    let chunks = requests.chunks(requests.len() / 8).map(<[Request]>::to_vec);
    let senders = chunks.map(|chunk| {
        let address = envoy.address();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            for request in chunk {
                connection.try_send(&request.to_bytes()).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let lines = async || Some(envoy.output_lines()).filter(|lines| lines.len() >= requests.len());
    let lines = eventually(lines).await.expect("a line for each request");
    assert_eq!(lines.len(), requests.len());
    let mut allowed = 0;
    for line in &lines {
        let text = std::str::from_utf8(line).unwrap();
        let text = text.strip_suffix('\n').unwrap();
        assert!(!text.contains(char::is_control), "{text:?}");
        let entry: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        assert!(entry["ResponseCode"].is_u64(), "{text}");
        allowed += usize::from(entry["Decision"] == "allow");
    }
    assert!(allowed > 500, "{allowed}");
    let filter: Vec<_> = envoy.filter_log();
    assert!(!filter.is_empty());
    let everything = [lines.concat(), envoy.log().into_bytes()].concat();
    assert!(!contains(&everything, b"eyJ"), "a token is in a log");
    let known: HashSet<&[u8]> = secrets.iter().map(|secret| &secret.as_bytes()[..20]).collect();
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    for word in everything.split(|byte| !symbol(byte)) {
        let found = word.windows(20).any(|part| known.contains(part));
        assert!(!found, "a signature is in a log: {}", word.escape_ascii());
    }
    // A flood causes a few lines only.
    assert!(
        filter.iter().filter(|line| line.contains("tollgate: deny: ")).count() <= 20,
        "{filter:#?}"
    );
}
