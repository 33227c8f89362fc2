/*
 * reeve.mjs: a Reeve worker in JavaScript (Node 18 or later): all that a program needs, in one file, nothing but Node
 * itself. Copy it.
 *
 * A worker is started with one socket, descriptor 3, and speaks JSON-RPC 2.0 there, one message a line:
 *
 *     import { begin } from "./reeve.mjs";
 *
 *     const run = await begin();                          // run/begin
 *     const answer = await run.model({ messages: [...] }); // a chat completion, through a route of the workflow
 *     const vendor = await run.tool("ledger.lookup_vendor", { name: "Fjordlys AS" });
 *     const total = await run.step("add-up", () => compute()); // own code, done once
 *     await run.end({ total });
 *
 * A run outlives its worker: after a kill or a long wait the program runs again from its start and asks again; whatever
 * is recorded is answered from the journal and not done twice. So between steps the program must do the same each
 * time: it takes the time from run.nowMs and randomness from run.seed, and puts all else that may differ (a file, a
 * clock, an id) into a step. Requests may be made side by side (Promise.all).
 *
 * What Reeve refuses is a ReeveError: .code says what (code.DENIED, ...), .message why.
 */
import { Socket } from "node:net";

export const code = {
    PARAMS: -32602, STATE: 1001, DENIED: 1002, LIMIT: 1003, CANCELLED: 1004,
    DIVERGED: 1005, UNAVAILABLE: 1006, TIMEOUT: 1007, NOT_FOUND: 1008, CONFLICT: 1009,
};

export class ReeveError extends Error {
    constructor(number, text, data) {
        super(text);
        this.code = number;
        this.data = data;
    }
    /** Whether another attempt of the run may fare better. */
    get mayPass() {
        return this.code === code.UNAVAILABLE || this.code === code.TIMEOUT;
    }
}

/* A half of a surrogate pair is no text: Reeve would end the run. */
const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const whole = (_, value) => (typeof value === "string" ? value.replace(lone, "\ufffd") : value);

export class Reeve {
    #socket;
    #waiting = new Map();
    #last = 0;
    #max = 65536;
    #broken = null;
    isCancelled = false; // a person or a limit has ended the run: stop soon

    constructor(fd) {
        let left = [];
        this.#socket = new Socket({ fd, readable: true, writable: true });
        this.#socket.on("data", (piece) => {
            for (let at; (at = piece.indexOf(10)) >= 0; piece = piece.subarray(at + 1)) {
                this.#take(JSON.parse(Buffer.concat([...left, piece.subarray(0, at)]).toString()));
                left = [];
            }
            left.push(piece);
        });
        this.#socket.on("error", (e) => this.#break(`the socket to Reeve is gone: ${e.message}`));
        this.#socket.on("close", () => this.#break("Reeve has closed the socket"));
    }
    #take(message) {
        const waiting = this.#waiting.get(message.id);
        if (message.method === "run/cancelled") this.isCancelled = true;
        if (!waiting) return;
        this.#waiting.delete(message.id);
        if (!this.#waiting.size) this.#socket.unref(); // a program that awaits nothing may end
        const e = message.error;
        if (e) waiting.reject(new ReeveError(e.code, e.message, e.data));
        else waiting.resolve(message.result);
    }
    #break(text) {
        this.#broken ??= new ReeveError(code.STATE, text);
        for (const waiting of this.#waiting.values()) waiting.reject(this.#broken);
        this.#waiting.clear();
    }

    /* ---- any request ---- */

    /** Sends at once; resolves with the result, which may take days and another process. */
    request(method, params = {}) {
        return new Promise((resolve, reject) => {
            if (this.#broken) throw this.#broken;
            const id = ++this.#last;
            const line = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, method, params }, whole) + "\n");
            if (line.length > this.#max)
                throw new ReeveError(code.PARAMS, `${method}: ${line.length} bytes, the workflow's limits.message is ${this.#max}`);
            this.#waiting.set(id, { resolve, reject });
            this.#socket.ref();
            this.#socket.write(line);
        });
    }
    async begin(sequential) {
        const begun = await this.request("run/begin", { sequential });
        this.#max = begun.limits.messageBytes;
        this.run = begun.run;
        this.attempt = begun.attempt;
        this.tenant = begun.tenant;
        this.workflow = begun.workflow;
        this.event = begun.event; // the CloudEvent; its data is foreign input
        this.models = begun.models ?? []; // names of routes; the first is the usual one
        this.checkpoint = begun.checkpoint ?? null; // what was last kept with keep()
        this.nowMs = begun.now; // when the run began: the same in each attempt
        this.seed = begun.seed; // hex; likewise
        return this;
    }

    /* ---- steps ---- */

    /** The gateway's answer to a chat.completions body. It is asked for once, whatever dies meanwhile. */
    async model(request, route) {
        return (await this.request("model/call", { request, route })).response;
    }
    /** What this run may call: [{name, description, inputSchema, annotations}]. */
    async tools() {
        return (await this.request("tools/list")).tools;
    }
    /** The MCP result. A call that policy denied, or that failed, is a result with isError. */
    tool(name, args = {}) {
        return this.request("tools/call", { name, arguments: args });
    }
    /** work() is done once; its value (any JSON) is what every later attempt gets. */
    async step(key, work, input) {
        const begun = await this.request("step/begin", { key, input });
        if (begun.done) return begun.value;
        let value;
        try {
            value = (await work()) ?? null;
        } catch (e) {
            await this.request("step/end", { step: begun.step, error: String(e?.message ?? e).slice(0, 4096) });
            throw e;
        }
        await this.request("step/end", { step: begun.step, value });
        return value;
    }
    /** A checkpoint: a later attempt finds it in .checkpoint, and asks again only for what comes after it. */
    keep(state) {
        return this.request("checkpoint/save", { state });
    }
    sleep(ms) {
        return this.request("sleep", { ms });
    }
    /** The event of this type whose members equal those of match; undefined when the time is over. */
    async wait(type, match = {}, timeoutMs) {
        return (await this.request("event/wait", { type, match, timeoutMs })).event;
    }
    /** A line for operators. */
    log(text, level = "info") {
        const params = { level, text: String(text).slice(0, 4000) };
        this.#socket.write(JSON.stringify({ jsonrpc: "2.0", method: "log", params }, whole) + "\n");
    }

    /* ---- the end ---- */

    /** Last: the run's result. The process exits after it. */
    end(result = null) {
        return this.request("run/end", { result });
    }
    fail(message, retryable = false) {
        return this.request("run/end", { error: { message: String(message), retryable } });
    }
}

/** One run. sequential: this program asks one thing at a time, and the journal is held to that order. */
export function begin({ sequential = false, fd = 3 } = {}) {
    return new Reeve(fd).begin(sequential);
}

/** Runs work(run) and ends the run with what it returns, or fails it with what it throws. */
export async function main(work) {
    const run = await begin();
    try {
        await run.end((await work(run)) ?? null);
    } catch (e) {
        process.exitCode = 1;
        console.error(e);
        const known = e instanceof ReeveError && [code.CANCELLED, code.DIVERGED, code.STATE].includes(e.code);
        if (!known) await run.fail(e?.message ?? e, e instanceof ReeveError && e.mayPass);
    }
    process.exit();
}
