"""Entry script of azureml-inference-server-http that verifies the caller's token itself.

tollgate has verified it already, in the proxies before this server. The script does not rely on them:
the server listens on all addresses of the pod, and what reaches it beside the proxies is refused here.
It believes no `x-auth-…` header, and writes one line of JSON for each request to standard output, with
the field names of tollgate's audit line.

    export TOKEN_ISSUER=https://login.microsoftonline.com/<tenant>/v2.0 TOKEN_AUDIENCE=<application id>
    export TOKEN_KEYS=https://login.microsoftonline.com/<tenant>/discovery/v2.0/keys
    export TOKEN_IDENTITY=tid,oid
    azmlinfsrv --entry_script score.py

Other variables: TOKEN_HEADER (authorization), TOKEN_ALGORITHMS (RS256), TOKEN_LEEWAY in seconds (60,
as tollgate's `clock_skew`).

To adapt: `predict`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone
from urllib.parse import quote

import jwt
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

log = logging.getLogger("audit")

# tollgate's words for what PyJWT refuses.
REASONS = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "not_yet_valid",
    jwt.InvalidAudienceError: "audience_mismatch",
    jwt.InvalidIssuerError: "issuer_not_allowed",
    jwt.InvalidSignatureError: "signature_invalid",
    jwt.PyJWKClientError: "key_unknown",
}

# What a tag of tollgate contains unchanged: printable ASCII except `%`.
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def predict(rows: list[list[float]]) -> list[float]:
    """The model."""
    return [sum(row) for row in rows]


def init() -> None:
    global keys, checks, header, parts
    # Fetched with the first token and every 5 minutes, and for a key that it does not have.
    keys = jwt.PyJWKClient(os.environ["TOKEN_KEYS"], timeout=5)
    checks = {
        "issuer": os.environ["TOKEN_ISSUER"],
        "audience": os.environ["TOKEN_AUDIENCE"],
        "algorithms": os.environ.get("TOKEN_ALGORITHMS", "RS256").split(","),
        "leeway": float(os.environ.get("TOKEN_LEEWAY", "60")),
        "options": {"require": ["exp", "iss", "aud"]},
    }
    header = os.environ.get("TOKEN_HEADER", "authorization").lower()
    parts = os.environ.get("TOKEN_IDENTITY", "iss,sub").split(",")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)


@rawhttp
def run(request) -> AMLResponse:
    identity, status, reason = None, 200, "ok"
    token = token_of(request.headers)
    try:
        identity = identity_of(token)
        answer = predict(json.loads(request.get_data())["data"])
    except jwt.PyJWKClientConnectionError:
        status, reason = 503, "keys_unavailable"
    except jwt.PyJWTError as error:
        # Not the message, which can quote the token.
        status, reason = 401, REASONS.get(type(error), "token_malformed") if token else "token_missing"
    except (ValueError, KeyError, TypeError):
        status, reason = 400, "payload_malformed"
    line = {
        "Time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "XRequestId": request.headers.get("x-request-id", "")[:128],
        "Identity": identity,
        "Decision": "allow" if identity else "deny",
        "Reason": reason,
        "ResponseCode": status,
    }
    log.info(json.dumps(line))
    response = AMLResponse(answer if status == 200 else {"message": reason}, status, json_str=True)
    if status == 401:  # RFC 6750. Not as an argument: AMLResponse splits values at commas.
        error = f' error="invalid_token", error_description="{reason}"' if token else ""
        response.headers["www-authenticate"] = "Bearer" + error
    return response


def token_of(headers) -> str:
    """The caller's token; if `authorization` has a key, the token has a header of its own."""
    value = headers.get(header, "")
    if header != "authorization":
        return value
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def identity_of(token: str) -> str:
    """Who the token is for, once signature, issuer, audience and times are checked.

    The same text as tollgate's tag `{@identity}`, for an identity of the same parts joined by `/`.
    """
    claims = jwt.decode(token, keys.get_signing_key_from_jwt(token), **checks)
    first, *rest = (claims.get(name) for name in parts)
    if not all(isinstance(part, str) and part for part in (first, *rest)):
        raise jwt.MissingRequiredClaimError("/".join(parts))
    later = (part.replace("%", "%25").replace("/", "%2F") for part in rest)
    return quote("/".join([first, *later]), safe=PLAIN)
