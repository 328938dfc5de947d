//! The clients, their requests and the expected answers.
//!
//! Each request has a mark in `x-chaos`, by which the upstream counts it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use support::attacks::{self, Attack, Expect, World};
use support::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::tally::Tally;

const IDENTITIES: usize = 8;
/// A connection is closed after so many requests, long before an old configuration has drained.
const REQUESTS_OF_A_CONNECTION: usize = 32;
/// Large enough that a client can leave in the middle of it.
const LONG_REPLY: usize = 256 << 10;

/// The keys that the identity provider signs with at one time, and their tokens. A client holds the
/// epoch while it sends one of them, so that the end of its use is known.
pub struct Epoch {
    pub rsa: Signer,
    pub ec: Signer,
    tokens: Vec<(String, String)>,
}

impl Epoch {
    /// The pair of keys number `number`. RSA keys are slow to make: four take turns under new
    /// names.
    pub fn new(number: u64) -> Self {
        let rsa = Signer::new("RS256", &format!("pool-{}", number % 4));
        let rsa = rsa.with_kid(&format!("rs-{number}"));
        let ec = Signer::new("ES256", &format!("es-{number}"));
        let tokens = (0..IDENTITIES).flat_map(|identity| {
            let subject = format!("caller-{identity}");
            [&rsa, &ec].map(|signer| (subject.clone(), signer.sign(&mint::claims(&subject))))
        });
        Self { tokens: tokens.collect(), rsa, ec }
    }

    /// A token for the request number `count`; one in sixteen is new.
    pub fn token(&self, count: usize) -> (String, String) {
        let (subject, token) = &self.tokens[count % self.tokens.len()];
        let fresh = || {
            let mut claims = mint::claims(subject);
            claims["jti"] = json!(count.to_string());
            self.ec.sign(&claims)
        };
        (subject.clone(), if count % 16 == 7 { fresh() } else { token.clone() })
    }
}

/// The state that all clients share.
pub struct Field {
    pub address: SocketAddr,
    pub stop: AtomicBool,
    pub epoch: RwLock<Arc<Epoch>>,
    pub tally: Arc<Tally>,
}

impl Field {
    fn epoch(&self) -> Arc<Epoch> {
        Arc::clone(&self.epoch.read().unwrap())
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// All clients of a phase.
pub fn start(field: &Arc<Field>, corpus: Arc<Vec<Attack>>) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for number in 0..8 {
        tasks.push(tokio::spawn(good(Arc::clone(field), number)));
        tasks.push(tokio::spawn(bad(Arc::clone(field), Arc::clone(&corpus), number)));
    }
    tasks.push(tokio::spawn(reset(Arc::clone(field))));
    tasks.push(tokio::spawn(leaving(Arc::clone(field))));
    tasks
}

/// The hostile tokens: all that fit into a header and are refused at any time during the storm. A
/// token that is not valid yet must be one for at least a day.
pub fn corpus(world: &World) -> Vec<Attack> {
    let mut corpus = attacks::corpus(world);
    corpus.retain(|attack| {
        let lasting = match attack.expect {
            Expect::PassesSanitised => false,
            Expect::RefusedAny => true,
            Expect::Refused(reasons) => {
                !reasons.contains(&"not_yet_valid") && !reasons.contains(&"issued_in_future")
            }
        };
        lasting && attack.fits_a_header()
    });
    for (claim, family, reasons) in
        [("nbf", "cl-nbf", &["not_yet_valid"] as &[&str]), ("iat", "cl-iat", &["issued_in_future"])]
    {
        let mut claims = mint::claims("someone");
        claims[claim] = json!(mint::now() + 86_400);
        claims["exp"] = json!(mint::now() + 90_000);
        let (name, token) = (format!("{claim} of tomorrow"), world.rsa.sign(&claims).into_bytes());
        corpus.push(Attack { family, name, token, expect: Expect::Refused(reasons) });
    }
    corpus
}

/// The upstream: answers a good request with its subject, and counts by the marks.
pub async fn upstream(tally: Arc<Tally>) -> Upstream {
    let upstream = Upstream::answering(move |request| {
        let subject = request.header("x-auth-subject").unwrap_or_default();
        match request.header("x-chaos") {
            Some("good") => Reply::new(200, subject),
            Some("reset") => {
                tally.reset_upstream.fetch_add(1, Ordering::SeqCst);
                Reply { hang_up: true, ..Reply::new(200, "") }
            }
            Some("leaving") => {
                Reply { delay: Duration::from_millis(2), ..Reply::new(200, vec![b'x'; LONG_REPLY]) }
            }
            // The mark of the hostile, or no mark at all.
            _ => {
                tally.admitted(request.header("x-attack").unwrap_or("unmarked"));
                Reply::new(200, subject)
            }
        }
    })
    .await;
    upstream.record(false);
    upstream
}

fn get(token: &[u8], mark: &str) -> Request {
    Request::get("/score").bearer(token).header("x-chaos", mark)
}

/// Each request must be answered by the upstream, in the name of its caller.
async fn good(field: Arc<Field>, number: usize) {
    let mut count = number * 1_000_003;
    while !field.stopped() {
        let mut connection = Connection::lazy(field.address);
        for _ in 0..REQUESTS_OF_A_CONNECTION {
            let epoch = field.epoch();
            let (subject, token) = epoch.token(count);
            count += 1;
            let request = get(token.as_bytes(), "good").to_bytes();
            match connection.try_send(&request).await {
                Ok(response) if response.status == 200 && response.body == subject.as_bytes() => {
                    field.tally.good.fetch_add(1, Ordering::Relaxed);
                }
                Ok(response) => {
                    let body = String::from_utf8_lossy(&response.body);
                    field.tally.lost(format!("{}: {body}", response.status));
                }
                Err(error) => field.tally.lost(format!("no answer: {error}")),
            }
            drop(epoch);
            if field.stopped() {
                return;
            }
        }
    }
}

/// The corpus, round and round, each client from another place.
async fn bad(field: Arc<Field>, corpus: Arc<Vec<Attack>>, number: usize) {
    let mut connection = Connection::lazy(field.address);
    let start = number * corpus.len() / 8;
    for (sent, attack) in corpus.iter().cycle().skip(start).enumerate() {
        if field.stopped() {
            return;
        }
        if sent % REQUESTS_OF_A_CONNECTION == 0 {
            connection = Connection::lazy(field.address);
        }
        let request = get(&attack.token, "bad").header("x-attack", name(attack));
        // No answer is a refusal, too; that it was one the upstream's count shows.
        let _ = connection.try_send(&request.to_bytes()).await;
        field.tally.bad(attack.family);
    }
}

/// Family and name as far as a header can carry them.
fn name(attack: &Attack) -> String {
    let text = format!("{}: {}", attack.family, attack.name);
    text.chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).take(60).collect()
}

/// Good requests that the upstream resets: their only answer is the proxy's own 503.
async fn reset(field: Arc<Field>) {
    let mut count = 0;
    while !field.stopped() {
        let epoch = field.epoch();
        let request = get(epoch.token(count).1.as_bytes(), "reset");
        count += 1;
        match client::try_send(field.address, &request).await {
            Ok(response) if response.status == 503 && response.reason().is_empty() => {
                field.tally.reset_client.fetch_add(1, Ordering::Relaxed);
            }
            Ok(response) => {
                let body = String::from_utf8_lossy(&response.body);
                field.tally.lost(format!("{} for a reset: {body}", response.status));
            }
            Err(error) => field.tally.lost(format!("no answer for a reset: {error}")),
        }
        drop(epoch);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Clients that leave: in a head, in a body, while waiting, in a reply, and while the filter holds
/// the request for an unknown key.
async fn leaving(field: Arc<Field>) {
    static KID: AtomicU64 = AtomicU64::new(0);
    let mut count = 0;
    while !field.stopped() {
        let epoch = field.epoch();
        let token = epoch.token(count).1;
        let whole = get(token.as_bytes(), "leaving");
        let upload = Request::post("/score", vec![b'x'; 1_000]).bearer(&token);
        let upload = upload.header("x-chaos", "leaving");
        let bytes = match count % 5 {
            0 => halved(&whole),
            1 => halved(&upload),
            2 | 3 => whole.to_bytes(),
            _ => {
                let kid = format!("unknown-{}", KID.fetch_add(1, Ordering::Relaxed));
                let token = epoch.ec.with_kid(&kid).sign(&mint::claims("nobody"));
                get(token.as_bytes(), "bad").header("x-attack", "leaving").to_bytes()
            }
        };
        if let Ok(mut stream) = TcpStream::connect(field.address).await {
            let sent = stream.write_all(&bytes).await;
            if sent.is_ok() && count % 5 == 3 {
                let _ = stream.read(&mut [0; 512]).await;
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            field.tally.left.fetch_add(1, Ordering::Relaxed);
        }
        drop(epoch);
        count += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn halved(request: &Request) -> Vec<u8> {
    let mut bytes = request.to_bytes();
    let keep = bytes.len() - if request.body.is_empty() { 20 } else { request.body.len() / 2 };
    bytes.truncate(keep);
    bytes
}
