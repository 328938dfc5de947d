#!/usr/bin/env python3
"""Calls a scoring endpoint behind tollgate with the identity of this program.

The token comes from `DefaultAzureCredential`: a managed or workload identity in Azure, the
signed-in developer on a laptop. The program contains no secret and needs none.

    pip install -r requirements.txt
    ./score.py https://ml.example.com/score --app-id <application id of the API> --data '{"data": [[1, 2]]}'

The program prints the answer to standard output, and a refusal with its stable reason to standard
error (`role_insufficient`, `rate_limited`, …: docs/runbook.md explains them), exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential
from requests.auth import AuthBase
from requests.utils import parse_dict_header

RETRIES = 3  # after the first attempt, for any cause
LONGEST_WAIT = 60  # seconds: for a longer wait, the program reports it and ends
TIMEOUT = (5, 120)  # seconds: to connect, and between bytes of the answer


class Denied(Exception):
    """The endpoint refused the request; `reason` is empty if the answer is not tollgate's."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.reason, self.detail = reason_of(response)
        self.retry_after = retry_after_of(response)
        super().__init__(f"{self.status} {self.reason or response.reason}")


class EntraToken(AuthBase):
    """Adds the caller's token to a request, and the endpoint's own key if the caller has one.

    As an `auth` of requests it also keeps a `.netrc` from replacing the header.
    """

    def __init__(self, scope: str, header: str, endpoint_key: str | None) -> None:
        self.scope, self.header, self.endpoint_key = scope, header, endpoint_key
        self.credential = DefaultAzureCredential()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self.credential.get_token(self.scope).token  # from its cache if possible
        if self.endpoint_key:
            request.headers["authorization"] = f"Bearer {self.endpoint_key}"
        bearer = self.header.lower() == "authorization"
        request.headers[self.header] = f"Bearer {token}" if bearer else token
        return request

    def renew(self) -> None:
        """Forgets the token: the cache belongs to the credential."""
        self.credential = DefaultAzureCredential()


def score(url: str, body: str, auth: EntraToken, request_id: str) -> str:
    """Posts `body` and returns the answer; waits and renews the token if that helps."""
    headers = {"content-type": "application/json", "x-ms-client-request-id": request_id}
    with requests.Session() as session:
        for attempt in range(RETRIES + 1):
            # Redirects are not followed: the token is only for this address.
            response = session.post(
                url, data=body.encode(), headers=headers, auth=auth,
                timeout=TIMEOUT, allow_redirects=False,
            )
            if 200 <= response.status_code < 300:
                return response.text
            denied = Denied(response)
            if attempt == RETRIES:
                break
            if denied.reason == "expired":
                auth.renew()
            elif denied.status in (429, 503) and denied.retry_after is not None:
                if denied.retry_after > LONGEST_WAIT:
                    break
                print(f"{denied}: waiting {denied.retry_after} s", file=sys.stderr)
                time.sleep(denied.retry_after)
            else:
                break
    raise denied


def reason_of(response: requests.Response) -> tuple[str, str]:
    """Reason and sentence from the body or, with `responses.body: empty`, the reason from the challenge."""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type in ("application/json", "application/problem+json"):
        try:
            body = response.json()
            return str(body["reason"]), str(body.get("detail", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return "", ""
    _, _, parameters = response.headers.get("www-authenticate", "").partition(" ")
    return parse_dict_header(parameters).get("error_description") or "", ""


def retry_after_of(response: requests.Response) -> int | None:
    """`Retry-After` in seconds, as tollgate sends it; without it, waiting does not help."""
    value = response.headers.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() else None


def endpoint(url: str) -> str:
    """An address to which a token may be sent: TLS, or this machine."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not here:
        raise argparse.ArgumentTypeError("a token is sent over https alone")
    return url


def main() -> int:
    parser = argparse.ArgumentParser(description="Calls a scoring endpoint behind tollgate.")
    parser.add_argument("url", type=endpoint, help="such as https://ml.example.com/score")
    parser.add_argument("--app-id", default=os.environ.get("TOLLGATE_APP_ID"),
                        help="application (client) id of the API's registration; TOLLGATE_APP_ID")
    parser.add_argument("--data", default="-", help="the JSON body; - reads standard input")
    parser.add_argument("--token-header", default="authorization",
                        help="where tollgate looks for the token, such as x-user-token")
    arguments = parser.parse_args()
    if not arguments.app_id:
        parser.error("--app-id or TOLLGATE_APP_ID is needed")
    key = os.environ.get("AML_ENDPOINT_KEY")
    if key and arguments.token_header.lower() == "authorization":
        parser.error("AML_ENDPOINT_KEY goes into authorization: name another --token-header")
    body = sys.stdin.read() if arguments.data == "-" else arguments.data
    try:
        json.loads(body)
    except ValueError as error:
        parser.error(f"the body is not JSON: {error}")

    auth = EntraToken(f"api://{arguments.app_id}/.default", arguments.token_header, key)
    request_id = str(uuid.uuid4())  # finds the call in the logs of the proxy and of the endpoint
    try:
        print(score(arguments.url, body, auth, request_id))
        return 0
    except Denied as denied:
        print(f"denied: {denied} (request {request_id})", file=sys.stderr)
        if denied.detail:
            print(denied.detail, file=sys.stderr)
        elif denied.retry_after is not None:
            print(f"come back in {denied.retry_after} s", file=sys.stderr)
    except ClientAuthenticationError as error:
        print(f"no token: {error.message}", file=sys.stderr)
    except requests.RequestException as error:
        print(f"no answer: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
