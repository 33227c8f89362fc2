/*
 * talk.h: a conversation with a model: the `messages` array of its requests, which only grows.
 */
#ifndef REEVE_WORKER_TALK_H
#define REEVE_WORKER_TALK_H

#include "worker/chat.h"

struct talk {
    struct buf text; /* "[{...},{...}": the array, not yet closed */
};

void talk_init(struct talk *t, size_t max_bytes);
void talk_release(struct talk *t);
/* -EMSGSIZE: the conversation is at its limit. */
int talk_say(struct talk *t, const char *role, struct str content, struct err *err) NODISCARD;
int talk_reply(struct talk *t, const struct chat_reply *reply, struct err *err) NODISCARD;
int talk_result(struct talk *t, struct str call_id, struct str content, struct err *err) NODISCARD;
/* The whole array as a value. */
void talk_put(struct talk *t, struct jout *j);
/* From such an array; what was there is dropped. */
int talk_restore(struct talk *t, const struct json *messages, struct err *err) NODISCARD;

#endif
