/*
 * surface.h: the tools as the model sees them. Model APIs allow tool names of 1 to 64 of [A-Za-z0-9_-]; ours
 * are `<server>.<tool>` of up to 128 bytes. So "ledger.pay" is shown as "ledger__pay", names that are too
 * long are cut, and names that would meet are told apart by a number. The same list gives the same names.
 */
#ifndef REEVE_WORKER_SURFACE_H
#define REEVE_WORKER_SURFACE_H

#include "policy/text/jout.h"
#include "policy/text/json.h"

#define SURFACE_NAME_MAX  64
#define SURFACE_TOOLS_MAX 512

struct surface_tool {
    struct str name;               /* as the broker knows it */
    char shown[SURFACE_NAME_MAX + 1];
    struct str description;        /* may be empty */
    const struct json *parameters; /* the input schema, or NULL */
};

struct surface {
    struct surface_tool *tools; /* sorted by name */
    size_t count;
};

/* Appends the tools of one tools/list result; everything is borrowed from it, the array is malloc'd. Call
 * surface_finish once all pages are in, and then the others. */
int surface_add(struct surface *s, const struct json *list, struct err *err) NODISCARD;
int surface_finish(struct surface *s, struct err *err) NODISCARD;
void surface_release(struct surface *s);

/* The tool that is shown by this name, or NULL. */
const struct surface_tool *surface_find(const struct surface *s, struct str shown);
/* A name that is on no list, read backwards ("ledger__pay" gives "ledger.pay"): so that what a model asks for
 * without leave is refused, and recorded, by the broker. False when it cannot be a tool's name. */
bool surface_guess(struct str shown, char ret[SURFACE_NAME_MAX + 1]);

/* The `tools` array of a chat.completions request. */
void surface_put(const struct surface *s, struct jout *j);
/* "a, b, c": for telling a model what there is; cut at max_bytes. */
void surface_put_names(const struct surface *s, struct buf *out, size_t max_bytes);

#endif
