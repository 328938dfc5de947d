"""A WSGI application on a free port of loopback: answers each request with its environment."""

import json
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    body = json.dumps(headers).encode()
    start_response("200 OK", [("content-type", "application/json")])
    return [body]


server = make_server("127.0.0.1", 0, application, Server, Quiet)
print(server.server_port)
sys.stdout.flush()
server.serve_forever()
