"""A WSGI application on the server of Python's own library, which folds `-` and `_` of names."""

import os
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import record


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    case = environ.get("HTTP_X_CASE")
    # The environment of the process is in it as well; the caller has no part in that.
    mine = [[n, v] for n, v in record.variables(environ) if os.environ.get(n) != v]
    record.call(case, environ["REQUEST_METHOD"], environ["PATH_INFO"], mine)
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    rows = record.body(case, content, environ.get("CONTENT_TYPE", ""))
    reply = b'{"rows":%d}' % rows
    head = [("content-type", "application/json"), ("content-length", str(len(reply)))]
    start_response("200 OK", head)
    return [reply]


port = int(os.environ["PORT"])
make_server("127.0.0.1", port, application, Server, Quiet).serve_forever()
