// Express as it comes: paths by any letter case, with a slash at the end or without.
'use strict';

const express = require('express');
const record = require('./record.js');

const app = express();

function answer(handler) {
  return (request, response) => {
    record.call(request, request.path, handler);
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('error', () => {});
    request.on('end', () => {
      response.json({ handler, rows: record.body(request, Buffer.concat(parts)) });
    });
  };
}

app.use('/admin', answer('admin'));
app.all('/secret', answer('secret'));
app.all('/score', answer('score'));
app.use(answer('other'));

app.listen(Number(process.env.PORT), '127.0.0.1');
