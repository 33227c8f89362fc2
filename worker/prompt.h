/*
 * prompt.h: the first words to the model: the workflow's prompt, with the event in its place.
 */
#ifndef REEVE_WORKER_PROMPT_H
#define REEVE_WORKER_PROMPT_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

/* Appends the prompt with {{event.data}} (as JSON, or the text itself when it is a string) and {{event.id}},
 * .source, .subject, .time, .type put in, once: what comes with the event is not looked at again. Other braces
 * stay as they are. A prompt without {{event.data}} is followed by the whole event. */
void prompt_put(struct buf *out, struct str prompt, const struct json *event);

#endif
