/*
 * slow_server.c: an MCP server on standard input and output with one tool, nap, that takes its
 * time.
 *
 *   slow_server MS
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number behind "id": in a line; the peer is our own supervisor. */
static long id_of(const char *line)
{
    const char *at = strstr(line, "\"id\":");
    return at ? strtol(at + 5, NULL, 10) : 0;
}

static void answer(const char *line, int ms)
{
    long id = id_of(line);
    if (strstr(line, "\"method\":\"initialize\"")) {
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"protocolVersion\":\"2025-11-25\","
               "\"capabilities\":{"
               "\"tools\":{}},\"serverInfo\":{\"name\":\"slow\",\"version\":\"1\"}}}\n",
               id);
    } else if (strstr(line, "\"method\":\"tools/list\"")) {
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"tools\":[{\"name\":\"nap\","
               "\"description\":\"sleeps\","
               "\"inputSchema\":{\"type\":\"object\"}}]}}\n",
               id);
    } else if (strstr(line, "\"method\":\"tools/call\"")) {
        (void)poll(NULL, 0, ms);
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"content\":[{\"type\":\"text\","
               "\"text\":\"slept\"}]}}\n",
               id);
    } else if (strstr(line, "\"id\":")) {
        printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"error\":{\"code\":-32601,\"message\":\"no such "
               "method\"}}\n",
               id);
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static char line[1 << 20];
    int ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    while (fgets(line, sizeof(line), stdin))
        answer(line, ms);
    return 0;
}
