"""An MCP client and an MCP server of the Python SDK.

`mcp_login.py serve PORT PATH` serves a tool `who`. `mcp_login.py login` reads the address of a server, a user and a
password as JSON from standard input. It logs in with the address alone, calls the tool, and prints what it got.
"""

import asyncio
import html
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

CALLBACK = "http://127.0.0.1:9/callback"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


class Browser:
    """Fills in the pages of the identity provider, in place of a browser and its user."""

    def __init__(self, user, password):
        self.fields = {"username": user, "password": password, "accept": "Yes"}
        self.cookies = {}
        self.opener = urllib.request.build_opener(Stay)

    def send(self, url, form=None):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(url, body, {"cookie": cookies})
        try:
            answer = self.opener.open(request)
        except urllib.error.HTTPError as error:
            answer = error
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name.strip()] = value
        return answer.headers.get("location"), answer.read().decode()

    def log_in(self, url):
        """The address to which the provider sends the browser at the end."""
        form = None
        for _ in range(9):
            location, page = self.send(url, form)
            form = None
            if location:
                url = urllib.parse.urljoin(url, location)
                if url.startswith(CALLBACK):
                    return url
                continue
            action = re.search(r'<form[^>]*action="([^"]+)"', page)
            if not action:
                raise RuntimeError(f"no form: {page}")
            url = urllib.parse.urljoin(url, html.unescape(action[1]))
            form = self.fields
        raise RuntimeError("too many pages")


def login(job):
    from mcp import Client
    from mcp.client.auth import OAuthClientProvider
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

    class Storage:
        tokens = client = None

        async def get_tokens(self):
            return self.tokens

        async def set_tokens(self, tokens):
            self.tokens = tokens

        async def get_client_info(self):
            return self.client

        async def set_client_info(self, client):
            self.client = client

    storage, asked = Storage(), []

    async def redirect(url):
        asked.append(url)

    async def callback():
        url = await asyncio.to_thread(Browser(job["user"], job["password"]).log_in, asked[-1])
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(url).query))
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))

    async def run():
        metadata = OAuthClientMetadata(
            redirect_uris=[CALLBACK], token_endpoint_auth_method="none", grant_types=["authorization_code"]
        )
        auth = OAuthClientProvider(job["server"], metadata, storage, redirect, callback)
        async with create_mcp_http_client(auth=auth) as http_client:
            async with Client(streamable_http_client(job["server"], http_client=http_client)) as client:
                result = await client.call_tool("who", {})
                return result.content[0].text

    tool = asyncio.run(run())
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(asked[-1]).query))
    print(json.dumps({"tool": tool, "asked": query["scope"], "token": storage.tokens.access_token}))


def serve(port, path):
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("python")

    @server.tool()
    def who() -> str:
        """Names the server."""
        return "python"

    server.run("streamable-http", port=int(port), streamable_http_path=path)


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    login(json.load(sys.stdin))
