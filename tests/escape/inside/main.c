/*
 * main.c: inside PROFILE ACT: closes its own walls when strict, does the act, tells by its exit
 * status.
 */
#include "inside.h"

#include "sandbox/inside.h"

static act_fn *find(const char *name)
{
    static const struct act *const groups[] = {acts_leave,   acts_gain,    acts_talk, acts_execute,
                                               acts_exhaust, acts_outlive, acts_watch};

    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
        for (const struct act *a = groups[g]; a->name != NULL; a++)
            if (strcmp(a->name, name) == 0)
                return a->run;
    return NULL;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    act_fn *run = argc == 3 ? find(argv[2]) : NULL;
    int rc;

    if (argc == 3 && strcmp(argv[1], "strict") == 0 && walls_close_strict(&err) < 0)
        _exit(EXIT_NO_WALLS);
    if (argc == 3 &&
        strcmp(argv[2], "wait") == 0) { /* for the posture test: until the channel ends */
        char c;
        (void)CALL(SYS_write, 3, "r", 1);
        (void)CALL(SYS_read, 3, &c, 1);
        _exit(EXIT_HARMLESS);
    }
    if (run == NULL)
        _exit(EXIT_NO_ACT);
    rc = run();
    _exit(rc == 0 ? EXIT_SUCCEEDED : rc == HARMLESS ? EXIT_HARMLESS : EXIT_ERRNO - rc);
}
