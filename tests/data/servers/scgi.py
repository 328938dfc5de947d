"""A program behind nginx, by SCGI: each header is a variable, as with FastCGI and uwsgi."""

import os
import socketserver

import record


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        # A netstring of names and values, each ended by NUL.
        digits = b""
        while (byte := self.rfile.read(1)) != b":":
            if not byte:
                return
            digits += byte
        parts = self.rfile.read(int(digits)).split(b"\0")
        self.rfile.read(1)
        names = [part.decode("latin-1") for part in parts[:-1]]
        variables = list(zip(names[::2], names[1::2]))
        one = dict(variables)
        case, path = one.get("HTTP_X_CASE"), one.get("DOCUMENT_URI")
        record.call(case, one.get("REQUEST_METHOD"), path, variables)
        content = self.rfile.read(int(one.get("CONTENT_LENGTH") or 0))
        rows = record.body(case, content, one.get("CONTENT_TYPE", ""))
        reply = b'{"rows":%d}' % rows
        head = b"Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.wfile.write(head % len(reply) + reply)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


Server(os.environ["SOCKET"], Handler).serve_forever()
