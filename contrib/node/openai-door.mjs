/*
 * openai-door.mjs: a door for SDKs that speak HTTP to OpenAI: an unmodified one runs in a Reeve worker. Nothing but Node.
 *
 *     import { main } from "./reeve.mjs";
 *     import { openDoor } from "./openai-door.mjs";
 *
 *     await main(async (run) => {
 *         await openDoor(run);         // sets OPENAI_BASE_URL and OPENAI_API_KEY: before an SDK is made
 *         const client = new OpenAI(); // or LangGraph's ChatOpenAI({ model: "fast" }), Mastra with openai-compatible, ...
 *     });
 *
 * It listens on the worker's own loopback, which nobody else can reach, and makes a model/call of each POST to
 * /v1/chat/completions: so policy is asked, the budget holds, and a restarted worker has the answers from the journal.
 * `model` is the name of a route of the workflow (worker.models), or of an alias: openDoor(run, { aliases: { "gpt-4o":
 * "fast" } }). GET /v1/models lists them.
 *
 * What to know:
 *   - `stream: true` is answered at once when all is there, as one sequence of chunks; nothing comes token by token.
 *   - A refusal is an OpenAI error with `x-should-retry: false`: Reeve has tried again already, and the workflow's retry
 *     follows.
 *   - A request must be the same when the program runs again: times, ids and random words in a prompt belong into a
 *     run.step().
 *   - Only chat completions are here. The Agents SDK: setOpenAIAPI("chat_completions"), and its tracing off.
 *   - Extra parameters of a gateway are refused, unless the route lists them under `parameters`.
 */
import { createServer } from "node:http";
import { code, ReeveError } from "./reeve.mjs";

const BODY_MAX = 16 << 20;
const status = { // of Reeve's code: HTTP status and OpenAI's type
    [code.PARAMS]: [400, "invalid_request_error"], [code.DENIED]: [403, "permission_denied"],
    [code.LIMIT]: [403, "insufficient_quota"], [code.NOT_FOUND]: [404, "model_not_found"],
    [code.UNAVAILABLE]: [503, "unavailable"], [code.TIMEOUT]: [504, "timeout"], [code.CANCELLED]: [503, "cancelled"],
};

class Refusal extends Error {
    constructor(number, type, text) {
        super(text);
        this.status = number;
        this.type = type;
    }
}

/* A whole answer as the chunks of a stream. */
function* chunks(answer, withUsage) {
    const { id, created, model, system_fingerprint } = answer;
    const head = { id, created, model, system_fingerprint, object: "chat.completion.chunk" };
    for (const { index = 0, message = {}, finish_reason } of answer.choices ?? []) {
        const tool_calls = message.tool_calls?.map((t, i) => ({ index: i, ...t }));
        yield { ...head, choices: [{ index, delta: { ...message, tool_calls }, finish_reason: null }] };
        yield { ...head, choices: [{ index, delta: {}, finish_reason }] };
    }
    if (withUsage) yield { ...head, choices: [], usage: answer.usage };
}

async function read(request) {
    const pieces = [];
    let length = 0;
    for await (const piece of request) {
        length += piece.length;
        if (length > BODY_MAX) throw new Refusal(413, "invalid_request_error", "the body is too long");
        pieces.push(piece);
    }
    let body;
    try {
        body = JSON.parse(Buffer.concat(pieces).toString());
    } catch (e) {
        throw new Refusal(400, "invalid_request_error", `the body is not JSON: ${e.message}`);
    }
    if (body === null || typeof body !== "object" || Array.isArray(body))
        throw new Refusal(400, "invalid_request_error", "the body is no object");
    return body;
}

async function complete(run, aliases, request, send) {
    const { model, stream, stream_options, ...body } = await read(request);
    const route = Object.hasOwn(aliases, model) ? aliases[model] : model;
    if (!run.models.includes(route))
        throw new Refusal(404, "model_not_found", `no model route ${route} is given to this worker; it has ${run.models.join(", ")}`);
    const answer = await run.model(body, route);
    if (!stream) return send(200, JSON.stringify(answer));
    const events = [...chunks(answer, stream_options?.include_usage)].map((c) => JSON.stringify(c));
    send(200, [...events, "[DONE]"].map((e) => `data: ${e}\n\n`).join(""), { "content-type": "text/event-stream" });
}

async function serve(run, aliases, request, send) {
    const what = `${request.method} ${request.url.replace(/\/+$/, "")}`;
    if (what === "POST /v1/chat/completions") return complete(run, aliases, request, send);
    if (what !== "GET /v1/models")
        throw new Refusal(404, "not_found", `only POST /v1/chat/completions and GET /v1/models are here, not ${what}`);
    const data = run.models.map((id) => ({ id, object: "model", owned_by: "reeve" }));
    send(200, JSON.stringify({ object: "list", data }));
}

/** Begins to listen; resolves with the base URL, which is in OPENAI_BASE_URL as well. */
export async function openDoor(run, { port = 0, aliases = {} } = {}) {
    const door = createServer((request, response) => {
        const send = (number, body, more = {}) =>
            response.writeHead(number, { "content-type": "application/json", ...more }).end(body);
        serve(run, aliases, request, send).catch((e) => {
            const [number, type] = e instanceof ReeveError ? (status[e.code] ?? [500, "server_error"])
                : e instanceof Refusal ? [e.status, e.type] : [500, "server_error"];
            const error = { message: e.message, type, param: null, code: type };
            send(number, JSON.stringify({ error }), { "x-should-retry": "false", connection: "close" });
        });
    });
    door.requestTimeout = 0; // an answer may take as long as it takes
    await new Promise((resolve, reject) => door.once("error", reject).listen(port, "127.0.0.1", resolve));
    door.unref();
    const url = `http://127.0.0.1:${door.address().port}/v1`;
    process.env.OPENAI_BASE_URL = url;
    process.env.OPENAI_API_KEY ??= "none-is-needed";
    return url;
}
