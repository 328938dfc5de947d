// What a program behind the filter read, as record.py writes it.
'use strict';

const fs = require('node:fs');

const file = fs.openSync(process.env.CALLS, 'a');

function write(line) {
  fs.writeSync(file, JSON.stringify(line) + '\n');
}

// Pairs of a list that alternates names and values, as `rawHeaders` does.
function pairs(list) {
  const found = [];
  for (let at = 0; at + 1 < list.length; at += 2) found.push([list[at], list[at + 1]]);
  return found;
}

function call(request, path, handler) {
  // What programs use (`headers`) beside what came (`rawHeaders`).
  const parsed = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  const variables = parsed.concat(pairs(request.rawHeaders));
  const { method, headers } = request;
  write({ event: 'call', case: headers['x-case'] ?? null, method, path, handler, variables });
}

function body(request, content) {
  const count = rows(content);
  const trailers = pairs(request.rawTrailers)
    .concat(Object.entries(request.trailers).map(([name, value]) => [name, String(value)]));
  write({
    event: 'body', case: request.headers['x-case'] ?? null, bytes: content.length, rows: count,
    trailers,
  });
  return count;
}

function rows(content) {
  let document;
  try {
    document = JSON.parse(content.toString('utf8'));
  } catch {
    return 0;
  }
  if (document === null || typeof document !== 'object') return 0;
  const found = [
    document.data, document.inputs, document.instances, document.dataframe_records,
    document.dataframe_split?.data, document.input_data?.data,
  ];
  return Math.max(...found.map(length));
}

function length(value) {
  if (Array.isArray(value)) {
    const shapes = value.map((item) => Number(item?.shape?.[0] ?? 0)).filter(Number.isInteger);
    return Math.max(value.length, ...shapes);
  }
  if (value === null || typeof value !== 'object') return 0;
  const columns = Object.values(value).filter((column) => column && typeof column === 'object');
  return Math.max(1, ...columns.map((column) => Object.keys(column).length));
}

module.exports = { call, body };
