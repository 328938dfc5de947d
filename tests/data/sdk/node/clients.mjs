// As clients.py, for the SDKs of Node: `node clients.mjs NAME`.

import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import OpenAI from "openai";

const base = (one) => `http://127.0.0.1:${one.port}${one.path}`;
const bearer = (one) => (one.token ? { authorization: `Bearer ${one.token}` } : {});

const calls = {
  openai: async (one) => {
    // Without a key it sends nothing at all.
    const none = one.token ? {} : { defaultHeaders: { authorization: null } };
    const client = new OpenAI({ baseURL: base(one), apiKey: one.token || "none", ...none });
    await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "a" }] });
  },
  "@modelcontextprotocol/sdk": async (one) => {
    const options = { requestInit: { headers: bearer(one) } };
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${base(one)}/mcp`), options));
    await client.listTools();
    await client.close();
  },
};

const name = process.argv[2];
const version = JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const one of JSON.parse(readFileSync(0))) {
  if (one.spends) {
    await (await fetch(`${base(one)}/spent`, { headers: bearer(one) })).text();
  }
  const began = performance.now();
  let [shown, text] = ["", ""];
  try {
    await calls[name](one);
  } catch (error) {
    [shown, text] = [error.constructor.name, error.message];
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ version, case: one.case, class: shown, text, seconds }));
}
process.exit(0);
