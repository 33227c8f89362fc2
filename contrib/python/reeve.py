"""reeve.py: a Reeve worker in Python: all that a program needs, in one file, standard library only. Copy it.

A worker is started with one socket, descriptor 3, and speaks JSON-RPC 2.0 there, one message a line:

    from reeve import Reeve

    run = Reeve()                                 # run/begin
    answer = run.model({"messages": [...]})       # a chat completion, through the route that the workflow lists
    vendor = run.tool("ledger.lookup_vendor", {"name": "Fjordlys AS"})
    total = run.step("add-up", lambda: compute()) # own code, done once
    run.end({"total": total})

A run outlives its worker: after a kill or a long wait the program runs again from its start and asks again; whatever is
recorded is answered from the journal and not done twice. So between steps the program must do the same each time: it
takes the time from run.now_ms and randomness from run.random, and puts all else that may differ (a file, a clock, an id)
into a step. Requests may be made from several threads at once.

What Reeve refuses is a ReeveError: .code says what (DENIED, LIMIT, ...), .text why.
"""
import json
import os
import random
import sys
import threading
from concurrent.futures import Future

PARAMS, STATE, DENIED, LIMIT, CANCELLED = -32602, 1001, 1002, 1003, 1004
DIVERGED, UNAVAILABLE, TIMEOUT, NOT_FOUND, CONFLICT = 1005, 1006, 1007, 1008, 1009


class ReeveError(Exception):
    def __init__(self, code, text, data=None):
        super().__init__(text)
        self.code, self.text, self.data = code, text, data

    @property
    def may_pass(self):
        """Whether another attempt of the run may fare better."""
        return self.code in (UNAVAILABLE, TIMEOUT)


class Reeve:
    """One run. sequential: this program asks one thing at a time, and the journal is held to that order."""

    def __init__(self, sequential=False, fd=3):
        self._fd, self._lock, self._waiting, self._last = fd, threading.Lock(), {}, 0
        self._broken, self._max = None, 64 << 10
        self.is_cancelled = False  # a person or a limit has ended the run: stop soon
        threading.Thread(target=self._read, daemon=True).start()
        begun = self.request("run/begin", {"sequential": sequential})
        self._max = begun["limits"]["messageBytes"]
        self.run, self.attempt = begun["run"], begun["attempt"]
        self.tenant, self.workflow = begun["tenant"], begun["workflow"]
        self.event = begun["event"]  # the CloudEvent; its data is foreign input
        self.models = begun.get("models", [])  # names of routes; the first is the usual one
        self.checkpoint = begun.get("checkpoint")  # what was last kept with keep(), or None
        self.now_ms = begun["now"]  # when the run began: the same in each attempt
        self.random = random.Random(begun["seed"])  # likewise

    # ---- any request ----

    def request_later(self, method, params=None):
        """Sends at once; a Future of the result. Any thread may wait for it."""
        answer = Future()
        with self._lock:
            if self._broken:
                raise self._broken
            self._last += 1
            # A half of a surrogate pair is no text: Reeve would end the run.
            line = json.dumps({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params or {}},
                              ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
            if len(line) >= self._max:
                raise ReeveError(PARAMS, f"{method}: {len(line)} bytes, the workflow's limits.message is {self._max}")
            self._waiting[self._last] = answer
            self._write(line + b"\n")
        return answer

    def request(self, method, params=None):
        """Waits for the result, which may take days and another process."""
        return self.request_later(method, params).result()

    def _write(self, data):
        try:
            while data:
                data = data[os.write(self._fd, data):]
        except OSError as e:
            raise ReeveError(STATE, f"the socket to Reeve is gone: {e}") from None

    def _read(self):
        with os.fdopen(self._fd, "rb", closefd=False) as lines:
            for line in lines:
                message = json.loads(line)
                answer = self._waiting.pop(message.get("id"), None)
                if message.get("method") == "run/cancelled":
                    self.is_cancelled = True
                elif answer and "error" in message:
                    e = message["error"]
                    answer.set_exception(ReeveError(e["code"], e["message"], e.get("data")))
                elif answer:
                    answer.set_result(message["result"])
        with self._lock:
            self._broken = ReeveError(STATE, "Reeve has closed the socket")
            left, self._waiting = list(self._waiting.values()), {}
        for answer in left:
            answer.set_exception(self._broken)

    # ---- steps ----

    def model(self, request, route=None):
        """The gateway's answer to a chat.completions body. It is asked for once, whatever dies meanwhile."""
        params = {"request": request}
        if route:
            params["route"] = route
        return self.request("model/call", params)["response"]

    def tools(self):
        """What this run may call: [{name, description, inputSchema, annotations}]."""
        return self.request("tools/list")["tools"]

    def tool(self, name, arguments=None):
        """The MCP result. A call that policy denied, or that failed, is a result with isError."""
        return self.request("tools/call", {"name": name, "arguments": arguments or {}})

    def step(self, key, work, data=None):
        """work() is done once; its value (any JSON) is what every later attempt gets."""
        params = {"key": key} if data is None else {"key": key, "input": data}
        begun = self.request("step/begin", params)
        if begun["done"]:
            return begun["value"]
        try:
            value = work()
        except Exception as e:
            self.request("step/end", {"step": begun["step"], "error": str(e)[:4096]})
            raise
        self.request("step/end", {"step": begun["step"], "value": value})
        return value

    def keep(self, state):
        """A checkpoint: a later attempt finds it in .checkpoint, and asks again only for what comes after it."""
        self.request("checkpoint/save", {"state": state})

    def sleep(self, ms):
        self.request("sleep", {"ms": ms})

    def wait(self, type, match=None, timeout_ms=None):
        """The event of this type whose members equal those of match; None when the time is over."""
        params = {"type": type, "match": match or {}}
        if timeout_ms is not None:
            params["timeoutMs"] = timeout_ms
        return self.request("event/wait", params).get("event")

    def log(self, text, level="info"):
        """A line for operators."""
        line = json.dumps({"jsonrpc": "2.0", "method": "log", "params": {"level": level, "text": str(text)[:4000]}})
        with self._lock:
            self._write(line.encode() + b"\n")

    # ---- the end ----

    def end(self, result=None):
        """Last: the run's result. The process exits after it."""
        self.request("run/end", {"result": result})

    def fail(self, message, retryable=False):
        self.request("run/end", {"error": {"message": str(message), "retryable": retryable}})


def main(work):
    """Runs work(run) and ends the run with what it returns, or fails it with what it raises."""
    run = Reeve()
    try:
        result = work(run)
    except ReeveError as e:
        if e.code in (CANCELLED, DIVERGED, STATE):
            sys.exit(f"{sys.argv[0]}: {e}")  # Reeve knows already
        run.fail(e, retryable=e.may_pass)
    except Exception as e:
        run.fail(f"{type(e).__name__}: {e}")
        raise
    else:
        run.end(result)
