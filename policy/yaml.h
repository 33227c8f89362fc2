/*
 * yaml.h: YAML 1.2 text into a plain tree with positions, over libfyaml's event parser.
 *
 * Refused, each with its place: anchors, aliases, tags (nothing of ours needs them, and aliases can blow up),
 * keys that are not plain text, a key twice, more than YAML_DEPTH_MAX levels, YAML_NODES_MAX nodes or
 * HOUSE_FILE_BYTES_MAX bytes, a BOM, control characters, text that is not UTF-8. libfyaml builds no documents here:
 * its events are iterative and hold one token each.
 */
#ifndef REEVE_POLICY_YAML_H
#define REEVE_POLICY_YAML_H

#include "policy/text/arena.h"
#include "policy/text/diag.h"
#include "policy/text/jout.h"

#define YAML_DEPTH_MAX 24
#define YAML_NODES_MAX 50000
#define YAML_KEYS_MAX 4096 /* of one mapping: they are compared with each other */

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_type type;
    bool refused;    /* an alias: a fault was given, nothing more is to be said of it */
    bool plain;      /* a scalar without quotes: may mean null, a boolean or a number */
    size_t from, to; /* bytes in the file */
    struct str text; /* scalar: its value, NUL-terminated */
    struct yaml *first, *next; /* children of a list; of a map, the values, each with its key */
    struct str key;
    size_t key_from, key_to;
    size_t count;
};

struct yaml_documents {
    struct yaml *first; /* linked by next; the roots */
    size_t count;
};

/* Reads text, which is `file` of diags. What is wrong goes to diags (returns -EINVAL if there was an error; the
 * documents before it are there); -ENOMEM. The tree lives in the arena. */
int yaml_parse(struct arena *a, struct diags *d, size_t file, struct str text,
               struct yaml_documents *ret) NODISCARD;
/* The same tree from JSON; positions are those in `text`, which the JSON was parsed from. */
int yaml_of_json(struct arena *a, struct str text, const struct json *v, struct yaml **ret) NODISCARD;
/* As JSON: plain null, true, false and JSON numbers are what they look like, all else is a string. */
void yaml_put_json(struct jout *j, const struct yaml *v);

struct yaml *yaml_get(const struct yaml *map, const char *key); /* or NULL */
bool yaml_is_null(const struct yaml *v);
const char *yaml_type_name(const struct yaml *v); /* "a list", "a mapping", "text" */

#endif
