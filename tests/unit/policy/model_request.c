/*
 * model_request.c: what of a worker's request may reach a gateway, row by row; each row that is
 * refused is a way out that some gateway offers.
 */
#include "tests/lib/cm.h"

#include "policy/model_request.h"
#include "policy/text/json.h"

#define TALK "\"messages\":[{\"role\":\"user\",\"content\":\"see http://x/y\"}]"
#define PART(p)                                                                                    \
    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a: b\"}," p "]}" \
                                                                                              "]}"

static const struct row {
    const char *request;
    int status;
    const char *says;
} rows[] = {
    {"{" TALK "}", 0, ""},
    {"{" TALK ",\"temperature\":0.2,\"max_tokens\":5,\"n\":2,\"stop\":[\"x\"],\"seed\":1}", 0, ""},
    {"{" TALK ",\"model\":\"other\",\"stream\":true,\"user\":\"me\",\"metadata\":{\"a\":1}}", 0,
     ""},
    {"{" TALK ",\"extra\":1}", 0, ""}, /* the route lists it */
    {"{" TALK ",\"web_search_options\":null}", 0, ""},
    {"{}", -EINVAL, "request.messages: expected an array"},
    {"{\"messages\":{}}", -EINVAL, "request.messages"},
    /* members that make a gateway act, or pass the request on */
    {"{" TALK ",\"web_search_options\":{}}", -EACCES, "request.web_search_options: not passed on"},
    {"{" TALK ",\"plugins\":[{\"id\":\"web\"}]}", -EACCES, "request.plugins"},
    {"{" TALK ",\"models\":[\"dear\"]}", -EACCES, "request.models"},
    {"{" TALK ",\"fallbacks\":[\"dear\"]}", -EACCES, "request.fallbacks"},
    {"{" TALK ",\"api_base\":\"http://evil\"}", -EACCES, "request.api_base"},
    {"{" TALK ",\"service_tier\":\"priority\"}", -EACCES, "request.service_tier"},
    {"{" TALK ",\"Model\":\"dear\"}", -EACCES, "request.Model"},
    /* tools of the gateway's own */
    {"{" TALK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}", 0, ""},
    {"{" TALK ",\"tools\":null}", 0, ""},
    {"{" TALK ",\"tools\":[{\"type\":\"web_search\"}]}", -EACCES, "request.tools: only functions"},
    {"{" TALK ",\"tools\":[{\"function\":{}}]}", -EACCES, "request.tools"},
    {"{" TALK ",\"tools\":[7]}", -EACCES, "request.tools"},
    {"{" TALK ",\"tools\":{}}", -EINVAL, "request.tools"},
    /* numbers that policy and gateway would read otherwise */
    {"{" TALK ",\"max_tokens\":\"100000\"}", -EINVAL,
     "request.max_tokens: expected a whole number"},
    {"{" TALK ",\"max_tokens\":1.5}", -EINVAL, "request.max_tokens"},
    {"{" TALK ",\"max_tokens\":-1}", -EINVAL, "request.max_tokens"},
    {"{" TALK ",\"max_completion_tokens\":1e30}", -EINVAL, "request.max_completion_tokens"},
    {"{" TALK ",\"n\":true}", -EINVAL, "request.n"},
    {"{" TALK ",\"max_tokens\":null,\"n\":null}", 0, ""},
    /* what a gateway would fetch */
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
          "png;base64,AA==\",\"detail\":\"low\"}}"),
     0, ""},
    {PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA/=\",\"format\":\"wav\"}}"), 0,
     ""},
    {PART("{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/"
          "pdf;base64,AA\",\"filename\":\"a.pdf\"}}"),
     0, ""},
    {PART("\"and: more\""), 0, ""},
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://10.0.0.1/?secret\"}}"), -EACCES,
     "request.messages[0].content[1]: url: "},
    {PART("{\"type\":\"image_url\",\"image_url\":\"https://evil/?secret\"}"), -EACCES,
     "image_url: "},
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"/etc/passwd\"}}"), -EACCES, "url: "},
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\" data:x\"}}"), -EACCES, "url: "},
    {PART("{\"type\":\"video_url\",\"video_url\":{\"url\":\"//evil/x\"}}"), -EACCES, "url: "},
    {PART("{\"type\":\"text\",\"text\":\"x\",\"image_url\":{\"url\":\"http://evil\"}}"), -EACCES,
     "url: "},
    {PART("{\"type\":\"file\",\"file\":{\"file_data\":\"https://evil/a.pdf\"}}"), -EACCES,
     "file_data: "},
    {PART("{\"type\":\"file\",\"file\":{\"file_id\":\"file-of-another\"}}"), -EACCES, "file_id: "},
    {PART("{\"type\":\"new\",\"new\":[{\"text\":\"ftp://evil\"}]}"), -EACCES, "text: "},
    {"{\"messages\":[{\"role\":\"user\",\"content\":{\"url\":\"http://evil\"}}]}", -EINVAL,
     "request.messages[0].content"},
};

static const struct json *parsed(struct arena *a, const char *text)
{
    const struct json *v = NULL;
    struct err err = ERR_INIT;
    if (json_parse(a, str_of(text), &JSON_LIMITS_DEFAULT, &v, NULL, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static void requests(void **state)
{
    static const struct str extra[] = {{"extra", 5}, {"stream", 6}};
    const struct strs parameters = {extra, ARRAY_LEN(extra)};
    struct arena a;
    (void)state;
    arena_init(&a, 1u << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        int rc = model_request_check(parsed(&a, rows[i].request), parameters, &err);
        assert_row(rc == rows[i].status && strstr(err.text, rows[i].says), i, "%d %s", rc,
                   err.text);
    }
    assert_true(model_request_passes(STR("extra"), parameters));
    assert_true(model_request_passes(STR("messages"), parameters));
    assert_false(model_request_passes(STR("extra"), (struct strs){0}));
    assert_false(model_request_passes(STR("stream"), parameters)); /* ours, whatever is listed */
    assert_false(model_request_passes(STR("model"), parameters));
    arena_release(&a);
}

static void output(void **state)
{
    static const struct {
        const char *request;
        int64_t want;
    } sizes[] = {
        {"{}", 0},
        {"{\"max_tokens\":100}", 100},
        {"{\"max_tokens\":100,\"max_completion_tokens\":5000}", 5000},
        {"{\"max_tokens\":100,\"n\":3}", 300},
        {"{\"max_tokens\":100,\"n\":0}", 100},
        {"{\"max_tokens\":null,\"n\":3}", 0},
        {"{\"max_tokens\":1099511627776,\"n\":1099511627776}", INT64_MAX},
    };
    struct arena a;
    (void)state;
    arena_init(&a, 1u << 20);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        int64_t got = model_request_output_max(parsed(&a, sizes[i].request));
        assert_row(got == sizes[i].want, i, "%" PRId64, got);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(output),
    };

    return cmocka_run_group_tests_name("policy/model_request", tests, NULL, NULL);
}
