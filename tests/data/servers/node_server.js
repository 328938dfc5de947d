// Node's own servers: HTTP/1.1, or HTTP/2 with prior knowledge where `PROTOCOL` is h2c.
'use strict';

const http = require('node:http');
const http2 = require('node:http2');
const record = require('./record.js');

function handle(request, response) {
  record.call(request, request.url);
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('error', () => {});
  request.on('end', () => {
    const rows = record.body(request, Buffer.concat(parts));
    const reply = JSON.stringify({ rows });
    response.writeHead(200, {
      'content-type': 'application/json', 'content-length': Buffer.byteLength(reply),
    });
    response.end(reply);
  });
}

const server = process.env.PROTOCOL === 'h2c'
  ? http2.createServer({ maxHeaderListPairs: 512 }, handle)
  : http.createServer({ maxHeaderSize: 65536 }, handle);
// Without a listener Node waits with the call until the client may send its body.
server.on('checkContinue', (request, response) => {
  response.writeContinue();
  handle(request, response);
});
// Envoy closes idle connections first.
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT), '127.0.0.1');
