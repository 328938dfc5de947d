//! The answer to a request: counts it, looks the command up, and builds the response.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Behaviour, DISCOVERY, ENTRA_JWKS, Shared, State, Visit};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const HTML_PAGE: &str = "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>";
/// The pause between two bytes of [`Behaviour::Trickle`].
const TRICKLE: Duration = Duration::from_millis(100);
/// Long enough for the half of a body to leave before the connection closes.
const FLUSH: Duration = Duration::from_millis(20);

/// The command to reset the connection instead of answering.
#[derive(Debug)]
pub(super) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset on command")
    }
}

impl std::error::Error for Reset {}

/// Answers one request for `path`.
pub(super) async fn answer(shared: Shared, path: String) -> Result<Response<Paced>, Reset> {
    let (plan, cache_control) = {
        let mut state = shared.lock().expect("no holder panics");
        (plan(&mut state, path), state.cache_control.clone())
    };
    let Some((behaviour, document)) = plan else {
        return Ok(respond(StatusCode::NOT_FOUND, TEXT, Paced::whole("no such document")));
    };
    let ok = |media_type, body| Ok(respond(StatusCode::OK, media_type, body));
    let text = document.to_string();
    let mut response = match behaviour {
        Behaviour::Normal => ok(JSON, Paced::whole(text)),
        Behaviour::Status(status) => {
            let status = StatusCode::from_u16(status).expect("the test asks for a valid status");
            Ok(respond(status, TEXT, Paced::whole("failed on command")))
        }
        Behaviour::Redirect(location) => {
            let mut response = respond(StatusCode::FOUND, TEXT, Paced::whole("elsewhere"));
            response.headers_mut().insert(LOCATION, location.parse().expect("a valid header"));
            Ok(response)
        }
        Behaviour::Coded(coding) => {
            let mut response = respond(StatusCode::OK, JSON, Paced::whole(text));
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, coding.parse().expect("a valid header"));
            Ok(response)
        }
        Behaviour::Hang => pending().await,
        Behaviour::Reset => Err(Reset),
        Behaviour::Truncated => ok(JSON, Paced::truncated(text)),
        Behaviour::Html200 => ok("text/html", Paced::whole(HTML_PAGE)),
        Behaviour::EmptySet => ok(JSON, Paced::whole(r#"{"keys":[]}"#)),
        Behaviour::Huge(size) => ok(JSON, Paced::whole(padded(document, size))),
        Behaviour::WrongContentType => ok(TEXT, Paced::whole(text)),
        Behaviour::Trickle => ok(JSON, Paced::trickled(text)),
        Behaviour::NotJson => ok(JSON, Paced::whole(r#"{"keys":[{"kty":"#)),
        Behaviour::Delay(time) => {
            tokio::time::sleep(time).await;
            ok(JSON, Paced::whole(text))
        }
    }?;
    if let Some(value) = cache_control {
        let value = value.parse().expect("the test sets a valid header");
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(response)
}

/// Counts the visit and returns the behaviour and the document; `None` for an unknown path.
fn plan(state: &mut State, path: String) -> Option<(Behaviour, Value)> {
    let (document, always) = match path.as_str() {
        path if path == state.path || path == ENTRA_JWKS => {
            (Some(state.keys.clone()), state.always_jwks)
        }
        DISCOVERY => (Some(state.discovery.clone()), None),
        _ => (None, None),
    };
    state.visits.push(Visit { path, at: Instant::now() });
    let document = document?;
    if let Some((left @ 1.., behaviour)) = &mut state.next {
        *left -= 1;
        return Some((*behaviour, document));
    }
    Some((always.unwrap_or(state.always), document))
}

/// The document with a member more, so that its text has exactly `size` bytes if it had fewer.
fn padded(mut document: Value, size: usize) -> String {
    document["padding"] = json!("");
    let missing = size.saturating_sub(document.to_string().len());
    document["padding"] = json!("x".repeat(missing));
    document.to_string()
}

fn respond(status: StatusCode, media_type: &str, body: Paced) -> Response<Paced> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, media_type)
        .body(body)
        .expect("each part is valid")
}

/// A body that promises a length, then sends its bytes in pieces with pauses between.
pub(super) struct Paced {
    rest: Bytes,
    /// Bytes still owed by the `content-length`; more than `rest` has if the body breaks off.
    owed: usize,
    piece: usize,
    pause: Option<Interval>,
}

impl Paced {
    fn whole(text: impl Into<Bytes>) -> Self {
        let rest = text.into();
        Self { owed: rest.len(), piece: usize::MAX, pause: None, rest }
    }

    fn truncated(text: String) -> Self {
        let mut body = Self { pause: Some(paced(FLUSH)), ..Self::whole(text) };
        body.rest.truncate(body.owed / 2);
        body
    }

    fn trickled(text: String) -> Self {
        Self { piece: 1, pause: Some(paced(TRICKLE)), ..Self::whole(text) }
    }
}

fn paced(pause: Duration) -> Interval {
    let mut interval = interval(pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.owed == 0 {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(context));
        }
        // An end before the promised length makes hyper close the connection.
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.piece.min(self.rest.len());
        let piece = self.rest.split_to(size);
        self.owed -= size;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.owed as u64)
    }
}
