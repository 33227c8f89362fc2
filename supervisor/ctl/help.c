/*
 * help.c: help and completion, from the same rows that the parser reads.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"

#define SUMMARY_AT 24

static void put_option(struct buf *out, enum option id)
{
    const struct option_row *o = &option_rows[id];
    size_t at = out->len;
    buf_fmt(out, "  --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    cells_pad(out, out->len - at, SUMMARY_AT);
    buf_fmt(out, "  %s\n", o->help);
}

/* In the rows' order, those of the command first. */
static void put_options(struct buf *out, const struct style *s, uint64_t which, const char *title)
{
    if (!which)
        return;
    style_put(out, s, INK_BOLD, "\n%s\n", title);
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (which >> i & 1)
            put_option(out, (enum option)i);
}

static void put_lines(struct buf *out, const char *text)
{
    struct str rest = str_of(text), line;
    while (rest.len && str_split(&rest, '\n', &line))
        buf_fmt(out, "  %.*s\n", STR_FMT(line));
}

void ctl_put_usage(const struct command *cmd, const struct style *s, struct buf *out)
{
    style_put(out, s, INK_BOLD, "reeve %s", cmd->words);
    buf_fmt(out, "%s%s%s\n\n  %s\n", cmd->options ? " [OPTIONS]" : "", cmd->args[0] ? " " : "",
            cmd->args, cmd->summary);
    if (cmd->details[0])
        buf_char(out, '\n');
    put_lines(out, cmd->details);
    put_options(out, s, cmd->options, "Options");
    put_options(out, s, OPTIONS_OF_ALL, "Options of every command");
    style_put(out, s, INK_BOLD, "\nExample\n");
    put_lines(out, cmd->example);
}

static void put_all(struct ctl *c)
{
    struct buf *out = &c->out;
    style_put(out, &c->style, INK_BOLD, "reeve COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (size_t i = 0; i < command_count; i++) {
        size_t at = out->len;
        buf_fmt(out, "  %s%s%s", commands[i].words, commands[i].args[0] ? " " : "",
                commands[i].args);
        if (out->len - at > SUMMARY_AT) {
            buf_char(out, '\n');
            at = out->len;
        }
        cells_pad(out, out->len - at, SUMMARY_AT);
        buf_fmt(out, "  %s\n", commands[i].summary);
    }
    put_options(out, &c->style, OPTIONS_OF_ALL, "Options of every command");
    style_put(out, &c->style, INK_BOLD, "\nExit codes\n");
    buf_cstr(out, "  0 good, 1 failed, 2 used wrongly, 3 not found, 4 not allowed,\n"
                  "  5 the daemon cannot be reached\n\n"
                  "reeve help COMMAND shows how one is used.\n");
}

int cmd_help(struct ctl *c)
{
    struct buf words;
    char *name;
    size_t len, shown = 0;
    if (!c->args.word_count) {
        put_all(c);
        return CTL_GOOD;
    }
    buf_init(&words, 4096);
    for (size_t i = 0; i < c->args.word_count; i++)
        buf_fmt(&words, "%s%s", i ? " " : "", c->args.words[i]);
    name = buf_take(&words, &len);
    for (size_t i = 0; name && i < command_count; i++) {
        bool is_group = strncmp(commands[i].words, name, len) == 0 && commands[i].words[len] == ' ';
        if (!is_group && strcmp(commands[i].words, name) != 0)
            continue;
        if (shown++)
            buf_char(&c->out, '\n');
        ctl_put_usage(&commands[i], &c->style, &c->out);
    }
    int code = shown ? CTL_GOOD : ctl_usage(c, "no command \"%s\" is known", name ? name : "");
    free(name);
    return code;
}

int cmd_version(struct ctl *c)
{
    if (c->json)
        buf_cstr(&c->out, "{\"version\":\"" REEVE_VERSION "\"}\n");
    else
        buf_cstr(&c->out, "reeve " REEVE_VERSION "\n");
    return CTL_GOOD;
}

/* ---- completion ------------------------------------------------------------------------------ */

static void put_words_case(struct buf *out)
{
    buf_cstr(out, "    case \"$words\" in\n");
    for (size_t i = 0; i < command_count; i++) {
        buf_fmt(out, "    \"%s\")\n        options=\"", commands[i].words);
        uint64_t all = commands[i].options | OPTIONS_OF_ALL;
        for (unsigned o = 0, n = 0; o < OPTION_COUNT; o++)
            if (all >> o & 1)
                buf_fmt(out, "%s--%s", n++ ? " " : "", option_rows[o].name);
        buf_fmt(out, "\"\n        files=%d\n        ;;\n",
                strstr(commands[i].args, "FILE") || strstr(commands[i].args, "DIR") ? 1 : 0);
    }
    buf_cstr(out, "    esac\n");
}

static void put_valued(struct buf *out)
{
    buf_cstr(out, "    case \"$prev\" in\n    ");
    for (unsigned o = 0, n = 0; o < OPTION_COUNT; o++) {
        const char *arg = option_rows[o].arg;
        if (arg &&
            (strcmp(arg, "PATH") == 0 || strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0))
            buf_fmt(out, "%s--%s", n++ ? " | " : "", option_rows[o].name);
    }
    buf_cstr(
        out,
        ")\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n        return\n        ;;\n"
        "    --colour)\n        COMPREPLY=($(compgen -W 'always never auto' -- \"$cur\"))\n"
        "        return\n        ;;\n"
        "    --profile)\n        COMPREPLY=($(compgen -W 'strict program node python tool' -- "
        "\"$cur\"))\n        return\n        ;;\n"
        "    --state)\n        COMPREPLY=($(compgen -W 'live final queued starting running waiting "
        "succeeded failed cancelled dead open approved rejected expired used' -- \"$cur\"))\n"
        "        return\n        ;;\n    ");
    static const char *const DONE[] = {"colour", "profile", "state"};
    for (unsigned o = 0, n = 0; o < OPTION_COUNT; o++) {
        const char *arg = option_rows[o].arg;
        bool is_done =
            !arg || strcmp(arg, "PATH") == 0 || strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0;
        for (size_t i = 0; i < ARRAY_LEN(DONE); i++)
            is_done = is_done || strcmp(option_rows[o].name, DONE[i]) == 0;
        if (!is_done)
            buf_fmt(out, "%s--%s", n++ ? " | " : "", option_rows[o].name);
    }
    buf_cstr(out, ")\n        return\n        ;;\n    esac\n");
}

/* The words that may follow what was typed: every command's, cut down by compgen. */
static void put_next_words(struct buf *out)
{
    buf_cstr(out, "    for c in");
    for (size_t i = 0; i < command_count; i++)
        buf_fmt(out, " '%s'", commands[i].words);
    buf_cstr(out, "; do\n"
                  "        if [ -z \"$words\" ]; then\n"
                  "            next=\"$next ${c%% *}\"\n"
                  "        elif [ \"${c#\"$words \"}\" != \"$c\" ]; then\n"
                  "            c=\"${c#\"$words \"}\"\n"
                  "            next=\"$next ${c%% *}\"\n"
                  "        fi\n"
                  "    done\n");
}

int cmd_completion(struct ctl *c)
{
    struct buf *out = &c->out;
    if (strcmp(c->args.words[0], "bash") != 0)
        return ctl_usage(c, "completion: expected bash, found \"%s\"", c->args.words[0]);
    buf_cstr(out, "# Completion of reeve for bash. Made by `reeve completion bash`; do not edit.\n"
                  "_reeve()\n{\n"
                  "    local cur prev words='' options='' files=0 next='' c i\n"
                  "    COMPREPLY=()\n"
                  "    cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                  "    prev=\"${COMP_WORDS[COMP_CWORD - 1]}\"\n"
                  "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "        case \"${COMP_WORDS[i]}\" in\n"
                  "        [a-z]*) words=\"${words:+$words }${COMP_WORDS[i]}\" ;;\n"
                  "        *) break ;;\n"
                  "        esac\n"
                  "    done\n");
    put_valued(out);
    put_words_case(out);
    put_next_words(out);
    buf_cstr(
        out,
        "    if [ \"${cur#-}\" != \"$cur\" ]; then\n"
        "        COMPREPLY=($(compgen -W \"${options:---help --json --socket}\" -- \"$cur\"))\n"
        "    elif [ \"$files\" = 1 ]; then\n"
        "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
        "    else\n"
        "        COMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n"
        "    fi\n"
        "}\n"
        "complete -o filenames -F _reeve reeve\n");
    return CTL_GOOD;
}
