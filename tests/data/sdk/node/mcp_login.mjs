// As mcp_login.py, with the TypeScript SDK.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const callback = "http://127.0.0.1:9/callback";

// Fills in the pages of the identity provider, in place of a browser and its user.
async function logIn(url, user, password) {
  const cookies = new Map();
  let form;
  for (let page = 0; page < 9; page += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const method = form ? "POST" : "GET";
    const answer = await fetch(url, { method, body: form, headers: { cookie }, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const [location, text] = [answer.headers.get("location"), await answer.text()];
    form = undefined;
    if (location) {
      url = new URL(location, url).href;
      if (url.startsWith(callback)) return new URL(url);
      continue;
    }
    const action = /<form[^>]*action="([^"]+)"/.exec(text);
    if (!action) throw new Error(`no form: ${text}`);
    url = new URL(action[1].replaceAll("&amp;", "&"), url).href;
    form = new URLSearchParams({ username: user, password, accept: "Yes" });
  }
  throw new Error("too many pages");
}

async function login({ server, user, password }) {
  const kept = {};
  const provider = {
    redirectUrl: callback,
    clientMetadata: {
      client_name: "test",
      redirect_uris: [callback],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => (kept.tokens = tokens),
    redirectToAuthorization: (url) => (kept.asked = url),
    saveCodeVerifier: (verifier) => (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
  };
  const transport = () => new StreamableHTTPClientTransport(new URL(server), { authProvider: provider });
  const client = new Client({ name: "test", version: "1" });
  const first = transport();
  try {
    await client.connect(first);
    throw new Error("the server asks for no token");
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  const end = await logIn(kept.asked, user, password);
  await first.finishAuth(end.searchParams.get("code"));
  await client.connect(transport());
  const result = await client.callTool({ name: "who", arguments: {} });
  await client.close();
  const asked = kept.asked.searchParams.get("scope");
  console.log(JSON.stringify({ tool: result.content[0].text, asked, token: kept.tokens.access_token }));
  process.exit(0);
}

function serve(port, path) {
  createServer(async (request, response) => {
    if (request.method !== "POST" || request.url !== path) {
      response.writeHead(request.url === path ? 405 : 404).end();
      return;
    }
    const server = new McpServer({ name: "node", version: "1" });
    server.registerTool("who", { description: "Names the server." }, () => ({
      content: [{ type: "text", text: "node" }],
    }));
    // Without sessions, each request has a transport of its own.
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await server.connect(transport);
    await transport.handleRequest(request, response);
  }).listen(Number(port), "127.0.0.1");
}

const [, , what, ...rest] = process.argv;
if (what === "serve") serve(...rest);
else await login(JSON.parse(readFileSync(0)));
