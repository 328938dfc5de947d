// As clients.py, for the SDK of Node: `node clients.mjs`.

import { readFileSync } from "node:fs";
import OpenAI from "openai";

const messages = [{ role: "user", content: "a question" }];

const options = (call) => {
  if (!call.stream) return {};
  return { stream: true, ...(call.asks ? { stream_options: { include_usage: true } } : {}) };
};

const lastUsage = async (parts) => {
  let found = null;
  for await (const part of parts) found = part.usage ? part.usage.total_tokens : found;
  return found;
};

const calls = {
  chat: async (client, call) => {
    const answer = await client.chat.completions.create({ model: "tiny", messages, max_tokens: 8, ...options(call) });
    return call.stream ? lastUsage(answer) : answer.usage.total_tokens;
  },
  responses: async (client, call) => {
    const request = { model: "tiny", input: "a question", max_output_tokens: 8 };
    if (!call.stream) return (await client.responses.create(request)).usage.total_tokens;
    let found = null;
    for await (const event of await client.responses.create({ ...request, stream: true })) {
      if (event.type === "response.completed") found = event.response.usage.total_tokens;
    }
    return found;
  },
};

const version = JSON.parse(readFileSync("node_modules/openai/package.json")).version;
for (const call of JSON.parse(readFileSync(0))) {
  const line = { case: call.case, version, seen: null, error: null };
  const client = new OpenAI({
    baseURL: `${call.base}/v1`,
    apiKey: call.token,
    defaultHeaders: { "x-case": call.case },
    maxRetries: 0,
    timeout: 240_000,
  });
  try {
    line.seen = await calls[call.api](client, call);
  } catch (error) {
    line.error = `${error.constructor.name}: ${error.message}`;
  }
  console.log(JSON.stringify(line));
}
process.exit(0);
