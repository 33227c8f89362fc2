/*
 * clerk.mjs: an example worker in JavaScript: it asks a model, calls a tool, does a step of its own, and ends.
 *
 * Try it: kill its process at any moment. The run goes on where it was, and neither model nor tool is asked twice. A
 * workflow for it (the files that it imports are granted beside it):
 *
 *     workflow:
 *       name: clerk
 *       tenant: acme
 *       trigger: [{event: example.clerk}]
 *       worker:
 *         program: /usr/bin/node
 *         args: [/usr/local/share/reeve/node/clerk.mjs]
 *         profile: node
 *         files: [{path: /usr/local/share/reeve/node}]
 *         models: [clerk]
 *       tools: [ledger/lookup_vendor]
 */
import { main } from "./reeve.mjs";

await main(async (run) => {
    const name = run.event.data.vendor;
    const tools = (await run.tools()).map((t) => t.name);
    const answer = await run.model({ messages: [{ role: "user", content: `Who is ${name}? One sentence.` }], max_tokens: 200 });
    const text = answer.choices[0].message.content;
    const found = await run.tool("ledger.lookup_vendor", { name });
    // Own code that may differ from run to run (a clock, a file, a computation that takes long): a step, done once.
    const card = await run.step("card", () => ({ vendor: name, letters: name.length }));
    return { tools, said: text, known: !found.isError, card };
});
