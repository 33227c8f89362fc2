/*
 * json_check.c: is this JSON? `json_check FILE...` prints `FILE: ok` or `FILE:line:col: what` for
 * each.
 *
 * The strict check that every process runs on what it reads, for people, scripts and conformance
 * suites. Exit status: 0 all good, 1 any bad or unreadable, 2 called wrongly.
 */
#include "policy/text/json.h"

#include <stdio.h>

#include "policy/text/buf.h"

/* One byte more than the check allows, so that a file that is too long is told as such. */
#define READ_MAX (((size_t)16 << 20) + 1)

static const char usage[] =
    "usage: json_check [FILE...]\n"
    "Checks each FILE (standard input for `-` or when none is given) to be JSON as in RFC 8259:\n"
    "UTF-8, no duplicate names, nested at most 64 deep, at most 16 MiB. Prints `FILE: ok` or\n"
    "`FILE:line:column: what is wrong`. Exits 1 if any is bad, 2 if called wrongly.\n";

/* Reads up to the end or READ_MAX; 0 or -Exxx. */
static int read_all(FILE *in, struct buf *text)
{
    while (text->len < READ_MAX) {
        size_t room = MIN((size_t)65536, READ_MAX - text->len), n;
        char *to = buf_reserve(text, room);
        if (!to)
            return buf_status(text);
        n = fread(to, 1, room, in);
        buf_added(text, n);
        if (n < room)
            break;
    }
    return ferror(in) ? -EIO : 0;
}

/* The check's text without the "at line L column C" that stands in front here. */
static void print_fault(const char *name, const struct json_where *where, const struct err *err)
{
    char tail[64];
    int len = snprintf(tail, sizeof(tail), " at line %u column %u", where->line, where->column);
    struct str what = str_of(err->text);

    if (str_ends(what, (struct str){tail, (size_t)len}))
        what.len -= (size_t)len;
    printf("%s:%u:%u: %.*s\n", name, where->line, where->column, STR_FMT(what));
}

static bool check_text(const char *name, struct str text)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_where where = {0};
    struct err err = ERR_INIT;
    int r = json_check(text, &limits, &where, &err);

    if (r == 0)
        printf("%s: ok\n", name);
    else if (r == -ENOMEM)
        printf("%s: %s\n", name, err.text);
    else
        print_fault(name, &where, &err);
    return r == 0;
}

static bool check_file(const char *name)
{
    bool standard = strcmp(name, "-") == 0, good = false;
    FILE *in = standard ? stdin : fopen(name, "re");
    struct buf text;
    int r;

    if (!in) {
        printf("%s: cannot open: %s\n", name, strerror(errno));
        return false;
    }
    buf_init(&text, READ_MAX);
    r = read_all(in, &text);
    if (r < 0)
        printf("%s: cannot read: %s\n", name, strerror(-r));
    else
        good = check_text(name, buf_str(&text));
    buf_release(&text);
    if (!standard)
        (void)fclose(in);
    return good;
}

int main(int argc, char **argv)
{
    bool all_good = true;
    int first = 1;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--") == 0) {
        first++;
    } else if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0') {
        (void)fprintf(stderr, "json_check: unknown option %s\n%s", argv[1], usage);
        return 2;
    }
    if (first >= argc)
        all_good = check_file("-");
    for (int i = first; i < argc; i++)
        all_good = check_file(argv[i]) && all_good;
    if (fflush(stdout) != 0) {
        perror("json_check: standard output");
        return 1;
    }
    return all_good ? 0 : 1;
}
