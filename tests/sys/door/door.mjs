/* door.mjs: what an SDK would send, by fetch, to the door of its own worker: see tests/sys/60_doors.sh. */
const { main } = await import(`${process.argv[2]}/reeve.mjs`);
const { openDoor } = await import(`${process.argv[2]}/openai-door.mjs`);

async function ask({ path, body }) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const url = new URL(path, process.env.OPENAI_BASE_URL);
    const r = await fetch(url, body === undefined ? {} : { method: "POST", body: text, headers: { "content-type": "application/json" } });
    return [r.status, r.headers.get("x-should-retry"), await r.text()];
}

await main(async (run) => {
    await openDoor(run, { aliases: { "gpt-4o": "fast" } });
    const out = [];
    for (const stage of run.event.data.stages) out.push(await Promise.all(stage.map(ask)));
    return out;
});
