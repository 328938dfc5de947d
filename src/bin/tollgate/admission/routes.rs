//! The paths of the server, and the limits of what it reads.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{log, review};

/// The largest review. The API server takes objects of 3 MiB, and an update has the old one, too.
const LARGEST: usize = 8 << 20;

/// The time for one review, from its headers to its answer.
const TIME: Duration = Duration::from_secs(10);

/// The bodies that are kept at once.
const BODIES: usize = 8;

/// What the requests of a server share.
pub struct Routes {
    bodies: Semaphore,
    /// One review is judged at a time: a hostile one of the largest size takes a gigabyte.
    judge: Arc<Semaphore>,
}

/// A status and a text about it.
struct Refused(StatusCode, String);

impl Routes {
    /// Routes of a new server.
    pub fn new() -> Self {
        Self { bodies: Semaphore::new(BODIES), judge: Arc::new(Semaphore::new(1)) }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let is_probe = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = match request.uri().path() {
            "/healthz" | "/readyz" if !is_probe => Err(not_allowed()),
            "/healthz" | "/readyz" => Ok("ok\n".to_owned()),
            "/validate" if request.method() != Method::POST => Err(not_allowed()),
            "/validate" => match timeout(TIME, self.validate(request)).await {
                Ok(answer) => return answer.map_or_else(|refused| refused.response(), json),
                Err(_) => Err(Refused(
                    StatusCode::REQUEST_TIMEOUT,
                    format!("the review was not complete within {} s", TIME.as_secs()),
                )),
            },
            _ => Err(Refused(StatusCode::NOT_FOUND, "the path is /validate".to_owned())),
        };
        answer.map_or_else(
            |refused| refused.response(),
            |text| response(StatusCode::OK, "text/plain", text),
        )
    }

    async fn validate(&self, request: Request<Incoming>) -> Result<String, Refused> {
        let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default();
        if !kind.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            let why = "the content type is not application/json".to_owned();
            return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        if request.body().size_hint().lower() > LARGEST as u64 {
            return Err(too_large());
        }
        // Neither is ever closed.
        let _body = self.bodies.acquire().await;
        let body = Limited::new(request.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => too_large(),
            false => Refused(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")),
        })?;
        let body = body.to_bytes();
        let turn = Arc::clone(&self.judge).acquire_owned().await;
        // In another thread, so that probes are answered meanwhile.
        let answer = tokio::task::spawn_blocking(move || {
            // Kept also if the client goes.
            let _turn = turn;
            review::answer(&body)
        })
        .await;
        let answer = answer
            .map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let answer = answer.map_err(|error| Refused(StatusCode::BAD_REQUEST, error))?;
        if let Some(refused) = answer.refused {
            log(format_args!("refused {refused}"));
        }
        Ok(answer.body)
    }
}

fn not_allowed() -> Refused {
    Refused(
        StatusCode::METHOD_NOT_ALLOWED,
        "allowed: POST for /validate, GET for others".to_owned(),
    )
}

fn too_large() -> Refused {
    Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("allowed: at most {LARGEST} bytes"))
}

impl Refused {
    fn response(self) -> Response<Full<Bytes>> {
        let Self(status, text) = self;
        let mut response = response(status, "text/plain", format!("{text}\n"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
        }
        response
    }
}

fn json(text: String) -> Response<Full<Bytes>> {
    response(StatusCode::OK, "application/json", text)
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
