// As storm.py, with OpenAI's SDK for Node.

import { createInterface } from "node:readline";
import OpenAI from "openai";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { base, token, callers } = JSON.parse((await lines.next()).value);
const call = async () => {
  const client = new OpenAI({ baseURL: base, apiKey: token });
  await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "a" }] });
};
console.log("ready");
await lines.next();
const ends = await Promise.allSettled(Array.from({ length: callers }, call));
console.log(ends.filter((end) => end.status === "fulfilled").length);
process.exit(0);
