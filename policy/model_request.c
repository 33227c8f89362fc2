/*
 * model_request.c: see model_request.h. Runs in reeved.
 */
#include "policy/model_request.h"

#define TOKENS_MAX (INT64_C(1) << 40)
#define PATH_BYTES 256

/* ---- members --------------------------------------------------------------------------------- */

/* What the broker sets, what steers the gateway's records of whom it serves, and what would make it
 * act or keep. */
static const char *const ours[] = {
    "background", "conversation", "metadata", "model",          "previous_response_id",
    "store",      "stream",       "user",     "stream_options", "safety_identifier"};

/* Those of the format, and of on-premises gateways (vLLM, llama.cpp), that only shape the answer.
 */
static const char *const known[] = {"messages",
                                    "tools",
                                    "tool_choice",
                                    "parallel_tool_calls",
                                    "functions",
                                    "function_call",
                                    "max_tokens",
                                    "max_completion_tokens",
                                    "n",
                                    "temperature",
                                    "top_p",
                                    "top_k",
                                    "min_p",
                                    "stop",
                                    "seed",
                                    "frequency_penalty",
                                    "presence_penalty",
                                    "repetition_penalty",
                                    "logit_bias",
                                    "logprobs",
                                    "top_logprobs",
                                    "response_format",
                                    "reasoning_effort",
                                    "verbosity",
                                    "prediction"};

static bool is_in(const char *const *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

bool model_request_is_ours(struct str member)
{
    return is_in(ours, ARRAY_LEN(ours), member);
}

bool model_request_passes(struct str member, struct strs parameters)
{
    if (model_request_is_ours(member))
        return false;
    for (size_t i = 0; i < parameters.count; i++)
        if (str_eq(parameters.items[i], member))
            return true;
    return is_in(known, ARRAY_LEN(known), member);
}

static int check_members(const struct json *request, struct strs parameters, struct err *err)
{
    for (size_t i = 0; i < request->object.count; i++) {
        const struct json_member *m = &request->object.members[i];
        if (!model_request_passes(m->name, parameters) && !model_request_is_ours(m->name) &&
            m->value.type != JSON_NULL)
            return err_set(err, EACCES,
                           "request.%.*s: not passed on to a gateway, unless the model route lists "
                           "it under `parameters`",
                           STR_FMT(str_slice(m->name, 0, 80)));
    }
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Whole, so that what policy saw is what the gateway reads. */
static int check_count(const struct json *request, const char *name, struct err *err)
{
    const struct json *v = json_get(request, name);
    if (!v || v->type == JSON_NULL ||
        (v->type == JSON_INT && v->integer >= 0 && v->integer <= TOKENS_MAX))
        return 0;
    return err_set(err, EINVAL, "request.%s: expected a whole number, not below 0", name);
}

static int64_t count_of(const struct json *request, const char *name)
{
    const struct json *v = json_get(request, name);
    return json_is(v, JSON_INT) ? v->integer : 0;
}

int64_t model_request_output_max(const struct json *request)
{
    /* Two names for one thing: which of them counts is the gateway's to say. */
    int64_t each = MAX(count_of(request, "max_tokens"), count_of(request, "max_completion_tokens"));
    int64_t all;
    if (__builtin_mul_overflow(each, MAX(count_of(request, "n"), 1), &all))
        return INT64_MAX;
    return all;
}

/* ---- tools ----------------------------------------------------------------------------------- */

/* A tool that is no function is the gateway's own: it would call out where no policy is asked. */
static int check_tools(const struct json *request, struct err *err)
{
    const struct json *tools = json_get(request, "tools");
    if (tools && tools->type != JSON_ARRAY && tools->type != JSON_NULL)
        return err_set(err, EINVAL, "request.tools: expected an array");
    for (size_t i = 0; json_is(tools, JSON_ARRAY) && i < tools->array.count; i++) {
        const struct json *type = json_get(&tools->array.items[i], "type");
        if (!json_is(type, JSON_STRING) || !str_is(type->string, "function"))
            return err_set(err, EACCES,
                           "request.tools: only functions are offered to a model; the gateway's "
                           "own tools would act outside policy");
    }
    return 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool holds_url(struct str member, struct str s)
{
    if (str_starts(s, STR("data:")))
        return false;
    return str_is(member, "url") || str_ends(member, STR("_url")) || str_find(s, ':', 0) >= 0;
}

/* All of a part but the words in it: pictures, sounds, files. As deep as the JSON, which its parser
 * bounds. */
static int check_part(struct str member, const struct json *v, bool is_top, struct err *err)
{
    int rc = 0;
    if (v->type == JSON_STRING && (str_is(member, "file_id") || holds_url(member, v->string)))
        return err_set(err, EACCES,
                       "%.*s: what a model is to see is in the request: only data: URLs",
                       STR_FMT(str_slice(member, 0, 80)));
    for (size_t i = 0; v->type == JSON_ARRAY && i < v->array.count && rc >= 0; i++)
        rc = check_part(member, &v->array.items[i], false, err);
    for (size_t i = 0; v->type == JSON_OBJECT && i < v->object.count && rc >= 0; i++) {
        const struct json_member *m = &v->object.members[i];
        if (!is_top || !(str_is(m->name, "text") || str_is(m->name, "refusal")))
            rc = check_part(m->name, &m->value, false, err);
    }
    return rc;
}

static int check_messages(const struct json *request, struct err *err)
{
    const struct json *list = json_get(request, "messages");
    if (!json_is(list, JSON_ARRAY))
        return err_set(err, EINVAL, "request.messages: expected an array");
    for (size_t i = 0; i < list->array.count; i++) {
        const struct json *content = json_get(&list->array.items[i], "content");
        for (size_t k = 0; json_is(content, JSON_ARRAY) && k < content->array.count; k++) {
            char where[PATH_BYTES];
            snprintf(where, sizeof(where), "request.messages[%zu].content[%zu]", i, k);
            if (content->array.items[k].type != JSON_STRING &&
                check_part(STR("content"), &content->array.items[k], true, err) < 0)
                return err_wrap(err, "%s", where);
        }
        if (content && content->type == JSON_OBJECT)
            return err_set(err, EINVAL, "request.messages[%zu].content: expected text or an array",
                           i);
    }
    return 0;
}

int model_request_check(const struct json *request, struct strs parameters, struct err *err)
{
    static const char *const counts[] = {"max_tokens", "max_completion_tokens", "n"};
    int rc = check_members(request, parameters, err);
    for (size_t i = 0; i < ARRAY_LEN(counts) && rc >= 0; i++)
        rc = check_count(request, counts[i], err);
    if (rc >= 0)
        rc = check_tools(request, err);
    return rc < 0 ? rc : check_messages(request, err);
}
