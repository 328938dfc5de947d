"""A bare ASGI application for uvicorn, which calls it when the head has come."""

import json

import record


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]]
    case = next((value for name, value in headers if name == "x-case"), None)
    kind = next((value for name, value in headers if name == "content-type"), "")
    record.call(case, scope["method"], scope["path"], headers)
    content, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        content += message.get("body", b"")
        more = message.get("more_body", False)
    rows = record.body(case, content, kind)
    reply = json.dumps({"rows": rows}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": reply})
