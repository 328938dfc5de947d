//! The caller that a reply goes to, as far as the reply depends on it.

use crate::request::headers::Headers;

/// The headers of a request and the gRPC protocol that its caller speaks.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    pub(super) headers: &'a Headers,
    pub(super) rpc: Rpc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    No,
    /// `application/grpc` or `application/grpc+…`, in lower case as Envoy compares it
    /// (`Grpc::Common::hasGrpcContentType`): the host turns the reply into trailers.
    Native,
    /// `application/grpc-web` or `application/grpc-web-text`, each alone or with `+…`. The host does
    /// not know it: the body of the reply is the frame of trailers, for `text` in Base64.
    Web {
        text: bool,
    },
}

impl<'a> Recipient<'a> {
    /// Reads the headers of a request.
    pub fn of(headers: &'a Headers) -> Self {
        let content_type = headers.value("content-type").unwrap_or_default();
        let ends = |rest: &[u8]| matches!(rest, [] | [b'+', ..]);
        let rpc = match content_type.strip_prefix(b"application/grpc") {
            None => Rpc::No,
            Some(rest) if ends(rest) => Rpc::Native,
            Some(rest) => match rest.strip_prefix(b"-web") {
                Some(rest) if ends(rest) => Rpc::Web { text: false },
                Some(rest) if rest.strip_prefix(b"-text").is_some_and(ends) => {
                    Rpc::Web { text: true }
                }
                _ => Rpc::No,
            },
        };
        Self { headers, rpc }
    }
}
