"""door.py: what an SDK would send, by http.client, to the door of its own worker: see tests/sys/60_doors.sh."""
import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

sys.path.insert(0, sys.argv[1])
from reeve import main
from openai_door import open_door


def ask(path, body):
    c = http.client.HTTPConnection(urlsplit(os.environ["OPENAI_BASE_URL"]).netloc)
    text = body if isinstance(body, str) else json.dumps(body)
    c.request("POST" if body is not None else "GET", path, text if body is not None else None, {"content-type": "application/json"})
    r = c.getresponse()
    return [r.status, r.getheader("x-should-retry"), r.read().decode()]


def work(run):
    open_door(run, aliases={"gpt-4o": "fast"})
    out = []
    for stage in run.event["data"]["stages"]:
        with ThreadPoolExecutor(8) as pool:
            out.append(list(pool.map(lambda q: ask(q["path"], q.get("body")), stage)))
    return out


main(work)
