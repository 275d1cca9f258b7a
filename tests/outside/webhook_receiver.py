"""Receives webhooks, and judges them with code that is not regwatch's.

Answers 200 to what is signed as Standard Webhooks define and is a CloudEvent, and writes what it read as one
line of JSON. Everything else is a 400 with the reason. Named after it: the secret that must verify each
request, and one that must not.
"""

import http.server
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError

GOOD, BAD = (Webhook(secret) for secret in sys.argv[1:])


def judge(headers, body):
    """What was read of a request."""
    GOOD.verify(body, headers)
    try:
        BAD.verify(body, headers)
    except WebhookVerificationError:
        pass
    else:
        raise ValueError("whatever signs, it verifies")
    try:
        GOOD.verify(body.replace(b"changed", b"CHANGED", 1), headers)
    except WebhookVerificationError:
        pass
    else:
        raise ValueError("another body verifies")
    event = from_http_event(HTTPMessage(headers=headers, body=body))
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    return {"webhook-id": headers["webhook-id"], "attributes": attributes, "data": event.get_data()}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            read = judge({name.lower(): value for name, value in self.headers.items()}, body)
            status = 200
        except Exception as error:  # whatever it is, the test must see it
            read, status = {"error": repr(error)}, 400
        print(json.dumps(read), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(f"receiving at 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
