/*
 * names.c: which names may be used for what.
 *
 * Every process, where a name enters. A name that passed needs no quoting in a path component, a
 * log line, an environment or a Cedar entity: so nothing here allows '/', a quote, white space or a
 * leading dot.
 */
#include "policy/text/names.h"

#define TOOL_MAX 128
#define ENV_MAX  128

const char name_rule_text[] =
    "1 to 63 of a-z 0-9 . _ -, beginning and ending with a letter or digit";
const char name_tool_rule_text[] = "1 to 128 of A-Z a-z 0-9 _ . -";

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_edge(char c)
{
    return is_lower(c) || is_digit(c);
}

bool name_is_ok(struct str s)
{
    if (s.len < 1 || s.len > NAME_MAX_BYTES || !is_edge(s.ptr[0]) || !is_edge(s.ptr[s.len - 1]))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_edge(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool name_is_tool(struct str s)
{
    if (s.len < 1 || s.len > TOOL_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

bool name_is_env(struct str s)
{
    if (s.len < 1 || s.len > ENV_MAX || is_digit(s.ptr[0]))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_letter(c) && !is_digit(c) && c != '_')
            return false;
    }
    return true;
}

/* W3C Trace Context, 3.2.2: lower-case hex of a fixed length; all zero means "none". */
static bool is_trace_hex(struct str s, size_t len)
{
    bool zero = true;

    if (s.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s.ptr[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        zero = zero && c == '0';
    }
    return !zero;
}

bool name_is_trace_id(struct str s)
{
    return is_trace_hex(s, 32);
}

bool name_is_span_id(struct str s)
{
    return is_trace_hex(s, 16);
}
