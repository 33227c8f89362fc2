"""clerk.py: an example worker in Python: it asks a model, calls a tool, does a step of its own, and ends.

Try it: kill its process at any moment. The run goes on where it was, and neither model nor tool is asked twice. A
workflow for it (the files that it imports are granted beside it):

    workflow:
      name: clerk
      tenant: acme
      trigger: [{event: example.clerk}]
      worker:
        program: /usr/bin/python3
        args: [/usr/local/share/reeve/python/clerk.py]
        profile: python
        files: [{path: /usr/local/share/reeve/python}]
        models: [clerk]
      tools: [ledger/lookup_vendor]
"""
from reeve import main


def work(run):
    name = run.event["data"]["vendor"]
    tools = [t["name"] for t in run.tools()]
    answer = run.model({"messages": [{"role": "user", "content": f"Who is {name}? One sentence."}], "max_tokens": 200})
    text = answer["choices"][0]["message"]["content"]
    found = run.tool("ledger.lookup_vendor", {"name": name})
    # Own code that may differ from run to run (a clock, a file, a computation that takes long): a step, done once.
    card = run.step("card", lambda: {"vendor": name, "letters": len(name)})
    return {"tools": tools, "said": text, "known": not found.get("isError", False), "card": card}


main(work)
