"""A Flask application: gunicorn calls its views when the head has come."""

import record
from flask import Flask, jsonify, request

app = Flask(__name__)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def answer(handler):
    environ = request.environ
    case = environ.get("HTTP_X_CASE")
    record.call(case, request.method, request.path, record.variables(environ), handler)
    rows = record.body(case, request.get_data(), request.headers.get("content-type", ""))
    return jsonify(handler=handler, rows=rows)


def route(path, handler, **options):
    view = lambda **_: answer(handler)
    app.add_url_rule(path, f"{handler} {path}", view, methods=METHODS, **options)


route("/admin", "admin", strict_slashes=False)
route("/admin/<path:rest>", "admin")
route("/secret", "secret", strict_slashes=False)
route("/score", "score", strict_slashes=False)
route("/", "other")
route("/<path:rest>", "other")
