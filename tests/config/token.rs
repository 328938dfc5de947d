//! `token`: where tokens are read.

use serde_json::json;

use crate::document::*;

#[test]
fn a_place_of_tokens_is_named_once_and_is_not_a_header_of_the_filter() {
    refused(
        "/token",
        [
            (json!({"max_bytes": "64MiB"}), ".max_bytes: …256 to 65536"),
            (json!({"max_bytes": "1KB"}), ".max_bytes: \"1KB\" is not a size"),
            (json!({"from": []}), ".from: is an empty list"),
            (json!({"from": [{}]}), ".from[0]: is required"),
            (
                json!({"from": [{"header": "x", "cookie": "y"}]}),
                ".from[0]: has more than one place",
            ),
            (json!({"from": [{"cookie": "y", "prefix": "z"}]}), ".from[0].prefix: is only allowed"),
            (json!({"from": [{"header": "x"}, {"header": "X"}]}), ".from[1]: names the same place"),
            (
                json!({"from": [{"header": "x-a"}, {"header": "x_a"}]}),
                ".from[1]: names the same place",
            ),
            (
                json!({"from": [{"websocket_protocol_after": "a b"}]}),
                ".from[0].websocket_protocol_after: is not a subprotocol name",
            ),
            (
                json!({"from": [{"header": "x_auth.subject"}]}),
                ".from[0].header: names a header that the filter writes",
            ),
        ],
    );
    let bare = with("/token", json!({"from": [{"header": "authorization"}]}));
    warned(&bare, Some("token.from[0]: has no prefix"));
}
