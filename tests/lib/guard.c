/*
 * guard.c: memory in front of a page that traps.
 */
#include "tests/lib/guard.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void guard_init(struct guard *g, size_t room)
{
    size_t page = page_size();
    char *map;

    room = (room + page - 1) / page * page;
    map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(map != MAP_FAILED);
    must(mprotect(map + room, page, PROT_NONE) == 0);
    *g = (struct guard){map + room, room};
}

void guard_release(struct guard *g)
{
    if (g->end)
        (void)munmap(g->end - g->room, g->room + page_size());
    *g = (struct guard){0};
}

struct str guard_str(struct guard *g, struct str s)
{
    must(s.len <= g->room);
    if (s.len > 0)
        memcpy(g->end - s.len, s.ptr, s.len);
    return (struct str){g->end - s.len, s.len};
}
