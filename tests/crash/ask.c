/*
 * ask: a client of the control socket ($REEVE_SOCKET) that costs next to nothing, for the thousands
 * of trials of the crash harness.
 *
 *   ask PATH FILE [PATH FILE]...   GET each; FILE gets the answer
 *   ask --post PATH TYPE BODY      POST; prints the answer
 *
 * Ends with 0 when all answers were good ones, 1 otherwise. Ten seconds for all of it: who has no
 * answer then will have none.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (4u << 20)

static int open_socket(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("REEVE_SOCKET");
    if (!path || strlen(path) >= sizeof(to.sun_path))
        return -1;
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The body, within `answer`; NULL when there is none or it is no good one. */
static const char *ask(const char *method, const char *path, const char *type, const char *body,
                       char *answer)
{
    char head[1024];
    int fd = open_socket();
    if (fd < 0)
        return NULL;
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.0\r\nHost: reeve\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     method, path, type, strlen(body));
    bool sent = n > 0 && n < (int)sizeof(head) && send_all(fd, head, (size_t)n) &&
                send_all(fd, body, strlen(body));
    size_t len = 0;
    ssize_t got = -1;
    while (sent && len < ANSWER_MAX && (got = read(fd, answer + len, ANSWER_MAX - len)) > 0)
        len += (size_t)got;
    close(fd);
    answer[got == 0 ? len : 0] = '\0';
    /* HTTP/1.x 2xx; a body that was cut off is none: what is asked for here are JSON objects. */
    const char *start = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 2", 2) != 0 || !start)
        return NULL;
    size_t used = len;
    while (used > 0 && answer[used - 1] == '\n')
        used--;
    return used > 0 && answer[used - 1] == '}' ? start + 4 : NULL;
}

static bool put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    bool good = fputs(text, f) >= 0;
    return fclose(f) == 0 && good;
}

int main(int argc, char **argv)
{
    static char answer[ANSWER_MAX + 1];
    const char *body;
    alarm(10);
    if (argc == 5 && strcmp(argv[1], "--post") == 0) {
        body = ask("POST", argv[2], argv[3], argv[4], answer);
        return !body || puts(body) < 0;
    }
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: ask PATH FILE... | ask --post PATH TYPE BODY\n");
        return 2;
    }
    for (int i = 1; i < argc; i += 2) {
        body = ask("GET", argv[i], "application/json", "", answer);
        if (!body || !put_file(argv[i + 1], body))
            return 1;
    }
    return 0;
}
