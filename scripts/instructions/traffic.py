"""Requests and tokens of the measured cases."""

import base64
import json

from host import NOW

ISSUER = "https://login.example.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
AUDIENCE = "api://scoring"
# The key of src/verify/self_test.rs for RS256.
KEY = {
    "kty": "RSA", "kid": "k1", "e": "AQAB", "n":
    "orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3-XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtincRoSU_rNIPecFeg"
    "kfz0-QuRuSMmOJUov6XZTE6A-_48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7Oa0wDFFtdNJXU7VQR64"
    "eNrwX9evw-Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRdElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD90K51Q",
}  # fmt: skip

# With the token, the nine headers of a request.
HEADERS = {
    ":method": "POST",
    ":path": "/score",
    ":authority": "ml.example.com",
    ":scheme": "https",
    "user-agent": "python-requests/2.32.3",
    "accept": "*/*",
    "x-forwarded-proto": "https",
    "x-request-id": "5b1a6a5e-6f0f-4f7d-9d2c-0d6f2a1c9b77",
}

CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "5f3c1e0a-8f0e-4d35-9a3b-3a3f3e6a2b11",
    "exp": NOW + 3600,
    "iat": NOW - 60,
    "nbf": NOW - 60,
    "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "oid": "5f3c1e0a-8f0e-4d35-9a3b-3a3f3e6a2b11",
    "roles": ["Model.Score"],
}


def document(**members):
    """A configuration with one provider, one rule and one limit; `members` replace its own."""
    provider = {
        "name": "p", "issuers": [ISSUER], "audiences": [AUDIENCE], "keys": {"inline": {"keys": [KEY]}}
    }  # fmt: skip
    whole = {
        "providers": [provider],
        "rules": [{"name": "score", "limits": ["per-caller"]}],
        "limits": [{"name": "per-caller", "rate": "100000/s", "burst": 1_000_000}],
    }
    return whole | members


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, number=0):
    """A token for the fake verifier. Its `jti` is `number`, so that two of them differ."""
    payload = {name: value for name, value in (CLAIMS | claims | {"jti": f"{number:036}"}).items() if value is not None}
    parts = [json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k1"}), json.dumps(payload)]
    return ".".join([encoded(part.encode()) for part in parts] + [encoded(b"\0" + bytes(255))])


def request(headers, bearer=None):
    """The headers of a request as the host gives them."""
    whole = HEADERS | headers | ({"authorization": f"Bearer {bearer}"} if bearer else {})
    return [(name.encode(), value.encode()) for name, value in whole.items() if value is not None]
