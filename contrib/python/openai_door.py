"""openai_door.py: a door for SDKs that speak HTTP to OpenAI: an unmodified one runs in a Reeve worker. Standard library only.

    from reeve import main
    from openai_door import open_door

    def work(run):
        open_door(run)      # sets OPENAI_BASE_URL and OPENAI_API_KEY: before an SDK is made
        client = OpenAI()   # or LangGraph's ChatOpenAI(model="fast"), ...
        ...

It listens on the worker's own loopback, which nobody else can reach, and makes a model/call of each POST to
/v1/chat/completions: so policy is asked, the budget holds, and a restarted worker has the answers from the journal. `model` is
the name of a route of the workflow (worker.models), or of an alias: open_door(run, aliases={"gpt-4o": "fast"}). GET
/v1/models lists them.

What to know:
  - `stream: true` is answered at once when all is there, as one sequence of chunks; nothing comes token by token.
  - A refusal is an OpenAI error with `x-should-retry: false`: Reeve has tried again already, and the workflow's retry follows.
  - A request must be the same when the program runs again: times, ids and random words in a prompt belong into a run.step().
  - Only chat completions are here. The Agents SDK: set_default_openai_api("chat_completions"), and its tracing off.
  - Extra parameters of a gateway are refused, unless the route lists them under `parameters`.
"""
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import reeve

BODY_MAX = 16 << 20
STATUS = {  # of Reeve's code: HTTP status and OpenAI's type
    reeve.PARAMS: (400, "invalid_request_error"), reeve.DENIED: (403, "permission_denied"),
    reeve.LIMIT: (403, "insufficient_quota"), reeve.NOT_FOUND: (404, "model_not_found"),
    reeve.UNAVAILABLE: (503, "unavailable"), reeve.TIMEOUT: (504, "timeout"), reeve.CANCELLED: (503, "cancelled"),
}


class Refusal(Exception):
    def __init__(self, status, kind, text):
        super().__init__(text)
        self.status, self.kind = status, kind


def chunks(answer, with_usage):
    """A whole answer as the chunks of a stream."""
    head = {k: answer[k] for k in ("id", "created", "model", "system_fingerprint") if k in answer}
    head["object"] = "chat.completion.chunk"
    for c in answer.get("choices", []):
        delta = dict(c.get("message", {}))
        if delta.get("tool_calls"):
            delta["tool_calls"] = [{"index": i, **t} for i, t in enumerate(delta["tool_calls"])]
        yield {**head, "choices": [{"index": c.get("index", 0), "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": c.get("index", 0), "delta": {}, "finish_reason": c.get("finish_reason")}]}
    if with_usage:
        yield {**head, "choices": [], "usage": answer.get("usage")}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass  # each call is a step: Reeve's trace has it

    def _send(self, status, body, kind="application/json", more=()):
        self.send_response(status)
        for name, value in (("content-type", kind), ("content-length", str(len(body))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, r):
        body = json.dumps({"error": {"message": str(r), "type": r.kind, "param": None, "code": r.kind}})
        self._send(r.status, body.encode(), more=(("x-should-retry", "false"), ("connection", "close")))
        self.close_connection = True  # what is left of a request that was not read

    def _route(self, name):
        routes = self.server.run.models
        name = self.server.aliases.get(name, name)
        if name not in routes:
            raise Refusal(404, "model_not_found", f"no model route {name} is given to this worker; it has {', '.join(routes)}")
        return name

    def _ask(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_MAX:
            raise Refusal(411 if not length else 413, "invalid_request_error", "expected a body with its length")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError as e:
            raise Refusal(400, "invalid_request_error", f"the body is not JSON: {e}") from None
        if not isinstance(body, dict):
            raise Refusal(400, "invalid_request_error", "the body is no object")
        route = self._route(body.pop("model", None))
        stream, options = body.pop("stream", False), body.pop("stream_options", None) or {}
        answer = self.server.run.model(body, route)
        if not stream:
            return self._send(200, json.dumps(answer).encode())
        events = [json.dumps(c) for c in chunks(answer, options.get("include_usage"))] + ["[DONE]"]
        self._send(200, "".join(f"data: {e}\n\n" for e in events).encode(), "text/event-stream")

    def do_POST(self):
        try:
            if self.path.rstrip("/") != "/v1/chat/completions":
                raise Refusal(404, "not_found", f"only POST /v1/chat/completions is here, not {self.path}")
            self._ask()
        except Refusal as r:
            self._refuse(r)
        except reeve.ReeveError as e:
            self._refuse(Refusal(*STATUS.get(e.code, (500, "server_error")), e.text))

    def do_GET(self):
        if self.path.rstrip("/") != "/v1/models":
            return self._refuse(Refusal(404, "not_found", "only GET /v1/models is here"))
        data = [{"id": m, "object": "model", "owned_by": "reeve"} for m in self.server.run.models]
        self._send(200, json.dumps({"object": "list", "data": data}).encode())


class Door(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        TCPServer.server_bind(self)  # HTTPServer would look its name up: there is nobody to ask
        self.server_name, self.server_port = self.server_address[:2]


def open_door(run, port=0, aliases=None):
    """Begins to listen; returns the base URL, which is in OPENAI_BASE_URL as well."""
    door = Door(("127.0.0.1", port), Handler)
    door.run, door.aliases = run, dict(aliases or {})
    threading.Thread(target=door.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{door.server_port}/v1"
    os.environ["OPENAI_BASE_URL"] = url
    os.environ.setdefault("OPENAI_API_KEY", "none-is-needed")
    return url
