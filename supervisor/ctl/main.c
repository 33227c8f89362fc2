/*
 * main.c: reeve, the operators' command. Runs as its caller; what it may do is decided by the
 * daemon.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/ctl/ctl.h"

static const char *env(const char *name)
{
    return getenv(name);
}

static int local_offset_s(int64_t unix_ms)
{
    time_t at = (time_t)(unix_ms / 1000);
    struct tm tm;
    return localtime_r(&at, &tm) ? (int)tm.tm_gmtoff : 0;
}

/* Of the terminal, else of $COLUMNS, else 100; in a pipe wide enough to keep lines whole. */
static size_t width_of_output(bool is_tty)
{
    struct winsize w;
    if (is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
        return w.ws_col;
    return 100;
}

int main(int argc, char **argv)
{
    bool is_tty = isatty(STDOUT_FILENO) == 1;
    struct ctl_host host = {
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .err_fd = STDERR_FILENO,
        .env = env,
        .clock = &clock_system,
        .offset_s = local_offset_s,
        .is_tty = is_tty,
        .width = width_of_output(is_tty),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return ctl_main(&host, argc, (const char *const *)argv);
}
