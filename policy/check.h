/*
 * check.h: what `reeve policy …` does offline: no daemon, no store. Output goes to a buffer; the program prints it
 * and exits with the result. 0: good; 1: what was checked is bad (the output says how); 2: it could not be done
 * (err says why).
 */
#ifndef REEVE_POLICY_CHECK_H
#define REEVE_POLICY_CHECK_H

#include "policy/ask.h"

struct check_options {
    const char *dir;
    struct house_options house;
    bool json;
};

/* `policy check`: all errors of all files, then one line of what there is:
 * "2 workflows, 1 server, 1 model, 12 policies: ok, digest 3f2a…". JSON: {ok, digest, diagnostics[], ...}. */
int check_dir(const struct check_options *o, struct buf *out, struct err *err);

/* `policy eval`: facts (JSON as facts_put writes, see facts_parse for which members may be absent) against a
 * directory: the decision, and why. Exit 0 also for a deny. */
int check_eval(const struct check_options *o, struct str facts_json, struct buf *out, struct err *err);

/* `policy test`: cases in a file's text (YAML or JSON: list of {name, facts..., expect: allow|deny|run|gate,
 * policies?: []}), printed as TAP. `name` is for messages. */
int check_cases(const struct check_options *o, struct str name, struct str text, struct buf *out, struct err *err);

/* `policy convert`: Cedar text to the JSON policy format, or back. */
int check_convert(struct str name, struct str text, bool to_json, struct buf *out, struct err *err);

/* `policy schema`: the Cedar schema of a server's tools, from its tools/list result. */
int check_schema(struct str server, const struct json *tools_list, struct buf *out, struct err *err);

#endif
