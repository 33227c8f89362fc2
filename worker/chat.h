/*
 * chat.h: the chat.completions wire format (as OpenAI-compatible gateways speak it, without streaming): reading
 * a reply, writing the messages of a conversation. Pure: trees in, text out.
 */
#ifndef REEVE_WORKER_CHAT_H
#define REEVE_WORKER_CHAT_H

#include "policy/text/jout.h"
#include "policy/text/json.h"

#define CHAT_CALLS_MAX     64              /* tool calls in one reply */
#define CHAT_ARGUMENTS_MAX ((size_t)1 << 20)
#define CHAT_TEXT_MAX      ((size_t)256 << 10) /* of one tool's result, as shown to the model */

enum chat_finish { CHAT_STOP, CHAT_TOOLS, CHAT_LENGTH, CHAT_FILTER };

struct chat_call {
    struct str id;                /* the gateway's, or made from turn and place when it gave none */
    struct str name;              /* as the model wrote it */
    struct str text;              /* the arguments as the model wrote them */
    const struct json *arguments; /* an object; NULL when the text is not one */
    struct str problem;           /* then: why */
};

struct chat_reply {
    enum chat_finish finish;
    struct str content; /* may be empty */
    struct str refusal; /* the model's own refusal, or empty */
    struct chat_call *calls;
    size_t count;
};

/* Reads the body of a reply. The result lives in the arena and borrows from the tree. -EBADMSG with what is
 * not as it should be. Arguments that are not a JSON object are no fault of the reply: see chat_call. */
int chat_reply_parse(struct arena *arena, const struct json *response, unsigned turn,
                     struct chat_reply *ret, struct err *err) NODISCARD;
/* What went wrong, out of a gateway's error body ({"error":{"message"}}); may be empty. */
struct str chat_error_text(const struct json *response);

/* The messages of a conversation, each one JSON object. */
void chat_put_text(struct jout *j, const char *role, struct str content);
/* Only what is understood is kept. Arguments that are no object go back as {}: many gateways refuse a
 * conversation in which they are not JSON, and the tool message says what was wrong. */
void chat_put_assistant(struct jout *j, const struct chat_reply *reply);
void chat_put_tool(struct jout *j, struct str call_id, struct str content);

/* What a model is shown of an MCP tools/call result: its texts, else its structured content; a note for what
 * cannot be shown; "error: " in front of a tool's own failure (not of a denial, which speaks for itself). Cut
 * at CHAT_TEXT_MAX. */
void chat_tool_text(struct buf *out, const struct json *result);

#endif
