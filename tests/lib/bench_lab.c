/*
 * bench_lab.c: see bench_lab.h.
 */
#include "tests/lib/bench_lab.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/arena.h"

#define WAIT_MS 120000

static const char policy[] =
    "permit (principal is Source, action == Action::\"start\", resource is Workflow);\n"
    "permit (principal is Workflow, action == Action::\"infer\", resource is Model);\n"
    "permit (principal is Workflow, action in Action::\"read\", resource is Server);\n"
    "permit (principal is Workflow, action in Action::\"call\", resource);\n";

void bench_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fprintf(stderr, "bench: ");
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

int64_t bench_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double bench_now(void)
{
    return (double)bench_now_ns() / 1e9;
}

void bench_pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- the house
 * -------------------------------------------------------------------------------------- */

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0 || chmod(path, 0644) < 0)
        bench_die("write %s", path);
}

void bench_lab_open(struct bench_lab *lab, const char *base, const char *yaml)
{
    const char *build = getenv("BUILD"), *tmp = getenv("TMPDIR");
    char path[PATH_MAX];
    *lab = (struct bench_lab){.reeved = -1, .model = -1, .fd = -1, .model_port = 9};
    buf_init(&lab->answer, 64u << 20);
    if (realpath(build != NULL ? build : ".build", path) == NULL ||
        strlen(path) >= sizeof(lab->build))
        bench_die("no build directory %s", build != NULL ? build : ".build");
    memcpy(lab->build, path, strlen(path) + 1);
    (void)snprintf(lab->dir, sizeof(lab->dir), "%s/reeve-bench.XXXXXX",
                   base != NULL  ? base
                   : tmp != NULL ? tmp
                                 : "/tmp");
    if (mkdtemp(lab->dir) == NULL || chmod(lab->dir, 0755) < 0)
        bench_die("make %s", lab->dir);
    (void)snprintf(lab->socket, sizeof(lab->socket), "%s/control.sock", lab->dir);
    (void)snprintf(path, sizeof(path), "%s/policy", lab->dir);
    if (mkdir(path, 0755) < 0)
        bench_die("make %s", path);
    put_file(path, "bench.cedar", policy);
    put_file(path, "bench.yaml", yaml);
}

void bench_lab_model(struct bench_lab *lab)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    char program[600], number[16];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        bench_die("listen for the model");
    lab->model_port = ntohs(a.sin_port);
    (void)snprintf(program, sizeof(program), "%s/tests/bench-inside", lab->build);
    (void)snprintf(number, sizeof(number), "%d", fd);
    lab->model = fork();
    if (lab->model == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execl(program, "bench-inside", "model", number, (char *)NULL);
        _exit(127);
    }
    (void)close(fd);
}

static void exec_reeved(const struct bench_lab *lab, int workers)
{
    char program[600], dir[400], state[400], bin[600], url[100], count[16], me[32], log[400];
    (void)snprintf(program, sizeof(program), "%s/reeved", lab->build);
    (void)snprintf(dir, sizeof(dir), "%s/policy", lab->dir);
    (void)snprintf(state, sizeof(state), "%s/state", lab->dir);
    (void)snprintf(bin, sizeof(bin), "bin=%s", lab->build);
    (void)snprintf(url, sizeof(url), "model_url=http://127.0.0.1:%u/v1", lab->model_port);
    (void)snprintf(count, sizeof(count), "%d", workers);
    (void)snprintf(me, sizeof(me), "me=%u", (unsigned)getuid());
    (void)snprintf(log, sizeof(log), "%s/reeved.log", lab->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(126);
    (void)execl(program, "reeved", "--policy", dir, "--state", state, "--socket", lab->socket,
                "--libexec", lab->build, "--set", bin, "--set", url, "--set", me, "--workers",
                count, "--log-level", "warn", (char *)NULL);
    _exit(127);
}

static bool is_over(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

static int dial(const struct bench_lab *lab)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(lab->socket) >= sizeof(a.sun_path))
        bench_die("%s is too long for a socket", lab->socket);
    memcpy(a.sun_path, lab->socket, strlen(lab->socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int ask(struct bench_lab *lab, const char *method, const char *path, const char *body);

double bench_lab_start(struct bench_lab *lab, int workers)
{
    double from = bench_now();
    lab->reeved = fork();
    if (lab->reeved == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0)
        exec_reeved(lab, workers);
    while (ask(lab, "GET", "/v1/status", NULL) != 200) {
        if (is_over(lab->reeved) || bench_now() - from > WAIT_MS / 1000)
            bench_die("reeved (in $BUILD, .build unless set) does not answer; see %s/reeved.log", lab->dir);
        bench_pause_ms(1);
    }
    return bench_now() - from;
}

void bench_lab_stop(struct bench_lab *lab)
{
    if (lab->fd >= 0)
        (void)close(lab->fd);
    lab->fd = -1;
    if (lab->reeved < 0)
        return;
    (void)kill(lab->reeved, SIGTERM);
    (void)waitpid(lab->reeved, NULL, 0);
    lab->reeved = -1;
}

void bench_lab_close(struct bench_lab *lab)
{
    char command[400];
    bench_lab_stop(lab);
    if (lab->model > 0) {
        (void)kill(lab->model, SIGKILL);
        (void)waitpid(lab->model, NULL, 0);
    }
    buf_release(&lab->answer);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", lab->dir);
    if (getenv("KEEP") == NULL && system(command) != 0)
        (void)fprintf(stderr, "bench: %s stays behind\n", lab->dir);
}

/* ---- HTTP over the control socket
 * --------------------------------------------------------------------- */

static bool send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Reads head and body; what is left in the buffer is the body. The status, or -1. */
static int read_answer(int fd, struct buf *b)
{
    size_t head = 0, length = 0;
    int status = -1;
    buf_clear(b);
    while (head == 0 || b->len < head + length) {
        char *room = buf_reserve(b, 65536);
        ssize_t n = room != NULL ? recv(fd, room, 65535, 0) : -1;
        if (n <= 0)
            return -1;
        room[n] = '\0';
        buf_added(b, (size_t)n);
        char *end = head == 0 ? memmem(b->ptr, b->len, "\r\n\r\n", 4) : NULL;
        if (end == NULL)
            continue;
        head = (size_t)(end - b->ptr) + 4;
        status = (int)strtol(b->ptr + 9, NULL, 10);
        const char *l = strcasestr(b->ptr, "\r\nContent-Length:");
        length = l != NULL && l < end ? strtoul(l + 17, NULL, 10) : 0;
    }
    buf_drop_front(b, head);
    return status;
}

static int ask(struct bench_lab *lab, const char *method, const char *path, const char *body)
{
    struct buf out;
    int status = -1;
    if (lab->fd < 0)
        lab->fd = dial(lab);
    if (lab->fd < 0)
        return -1;
    buf_init(&out, 2u << 20);
    buf_fmt(&out, "%s %s HTTP/1.1\r\nHost: reeve\r\n", method, path);
    if (body != NULL)
        buf_fmt(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_cstr(&out, "\r\n");
    buf_cstr(&out, body != NULL ? body : "");
    if (send_all(lab->fd, out.ptr, out.len))
        status = read_answer(lab->fd, &lab->answer);
    buf_release(&out);
    if (status < 0) {
        (void)close(lab->fd);
        lab->fd = -1;
    }
    return status;
}

int bench_lab_http(struct bench_lab *lab, const char *method, const char *path, const char *body)
{
    int status = ask(lab, method, path, body);
    if (status < 0) /* the kept connection had timed out */
        status = ask(lab, method, path, body);
    if (status < 0)
        bench_die("%s %s: no answer; see %s/reeved.log", method, path, lab->dir);
    return status;
}

int64_t bench_lab_event(struct bench_lab *lab, const char *type, const char *id, const char *data)
{
    char body[4096];
    (void)snprintf(body, sizeof(body),
                   "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/"
                   "bench\",\"type\":\"%s\",\"subject\":\"%s\",\"data\":%s}",
                   id, type, id, data);
    int status = bench_lab_http(lab, "POST", "/v1/events", body);
    if (status / 100 != 2)
        bench_die("event %s: %d %.*s", id, status, STR_FMT(buf_str(&lab->answer)));
    const char *run = memmem(lab->answer.ptr, lab->answer.len, "\"run\":", 6);
    return run != NULL ? strtoll(run + 6, NULL, 10) : 0;
}

/* ---- the store, from beside
 * ---------------------------------------------------------------------------- */

static sqlite3 *store_beside(const struct bench_lab *lab)
{
    char file[400];
    sqlite3 *db = NULL;
    (void)snprintf(file, sizeof(file), "%s/state/reeve.db", lab->dir);
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL) !=
            SQLITE_OK)
        bench_die("open %s: %s", file, sqlite3_errmsg(db));
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_busy_timeout(db, 2000);
    return db;
}

int64_t bench_lab_number(struct bench_lab *lab, const char *sql)
{
    sqlite3 *db = store_beside(lab);
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

void bench_lab_result(struct bench_lab *lab, int64_t run, bench_result_fn *fn, void *arg)
{
    struct arena a;
    struct err err = ERR_INIT;
    const struct json *doc;
    char path[64];
    (void)snprintf(path, sizeof(path), "/v1/runs/%" PRId64, run);
    if (bench_lab_http(lab, "GET", path, NULL) != 200)
        bench_die("%s: %.*s", path, STR_FMT(buf_str(&lab->answer)));
    arena_init(&a, 256u << 20);
    if (json_parse(&a, buf_str(&lab->answer), &JSON_LIMITS_DEFAULT, &doc, NULL, &err) < 0)
        bench_die("%s: %s", path, err.text);
    fn(arg, run, json_get(doc, "result"));
    arena_release(&a);
}

void bench_lab_results(struct bench_lab *lab, const char *workflow, int64_t after,
                       bench_result_fn *fn, void *arg)
{
    char sql[200];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT id FROM run WHERE workflow='%s' AND state=4 AND id>%" PRId64, workflow,
                   after);
    sqlite3 *db = store_beside(lab);
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(s) == SQLITE_ROW)
        bench_lab_result(lab, sqlite3_column_int64(s, 0), fn, arg);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

void bench_lab_await(struct bench_lab *lab, int64_t after, int64_t count)
{
    char good[128], bad[128];
    double from = bench_now();
    (void)snprintf(good, sizeof(good), "SELECT count(*) FROM run WHERE state=4 AND id>%" PRId64,
                   after);
    (void)snprintf(bad, sizeof(bad), "SELECT count(*) FROM run WHERE state>4 AND id>%" PRId64,
                   after);
    while (bench_lab_number(lab, good) < count) {
        if (bench_lab_number(lab, bad) > 0)
            bench_die("a run failed; KEEP=1 keeps %s", lab->dir);
        if (is_over(lab->reeved) || bench_now() - from > WAIT_MS / 1000)
            bench_die("runs do not end; see %s/reeved.log", lab->dir);
        bench_pause_ms(20);
    }
}

/* ---- memory
 * ------------------------------------------------------------------------------------------ */

static pid_t parent_of(pid_t pid, char name[32])
{
    char path[64], text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f != NULL)
        (void)fclose(f);
    text[n] = '\0';
    char *open = strchr(text, '('), *close_ = strrchr(text, ')');
    if (open == NULL || close_ == NULL)
        return -1;
    *close_ = '\0';
    (void)snprintf(name, 32, "%s", open + 1);
    return (pid_t)strtol(close_ + 4, NULL, 10);
}

static int64_t rollup(pid_t pid, const char *name)
{
    char path[64], line[200];
    int64_t sum = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            sum += strtoll(line + strlen(name), NULL, 10) * 1024;
    if (f != NULL)
        (void)fclose(f);
    return sum;
}

static bool is_below(pid_t pid, pid_t top, char name[32])
{
    char other[32];
    for (pid_t up = parent_of(pid, name); up > 1; up = parent_of(up, other))
        if (up == top)
            return true;
    return pid == top;
}

size_t bench_lab_memory(const struct bench_lab *lab, struct bench_memory *ret, size_t max)
{
    DIR *d = opendir("/proc");
    size_t n = 0;
    for (const struct dirent *e; d != NULL && n < max && (e = readdir(d)) != NULL;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 0 || !is_below(pid, lab->reeved, ret[n].name))
            continue;
        ret[n].pid = pid;
        ret[n].rss_bytes = rollup(pid, "Rss:");
        ret[n].private_bytes = rollup(pid, "Private_Clean:") + rollup(pid, "Private_Dirty:");
        n++;
    }
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* ---- numbers
 * ------------------------------------------------------------------------------------------- */

void bench_add(struct bench_series *s, double v)
{
    if (s->count == s->cap) {
        s->cap = s->cap != 0 ? 2 * s->cap : 1024;
        s->v = reallocarray(s->v, s->cap, sizeof(*s->v));
        if (s->v == NULL)
            bench_die("out of memory");
    }
    s->v[s->count++] = v;
    s->sorted = false;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_at(struct bench_series *s, double share)
{
    if (s->count == 0)
        return 0;
    if (!s->sorted)
        qsort(s->v, s->count, sizeof(*s->v), compare);
    s->sorted = true;
    return s->v[(size_t)((double)(s->count - 1) * share)];
}

void bench_release(struct bench_series *s)
{
    free(s->v);
    *s = (struct bench_series){0};
}

/* ---- the floor
 * ------------------------------------------------------------------------------------------- */

static sqlite3_stmt *prepared(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        bench_die("%s: %s", text, sqlite3_errmsg(db));
    return s;
}

void bench_floor_open(struct bench_floor *f, const struct bench_lab *lab)
{
    char file[400];
    (void)snprintf(file, sizeof(file), "%s/floor.db", lab->dir);
    *f = (struct bench_floor){.next = 1};
    if (sqlite3_open_v2(file, &f->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(
            f->db,
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA page_size=4096; PRAGMA journal_mode=WAL; "
            "PRAGMA synchronous=FULL;"
            "PRAGMA wal_autocheckpoint=1000; PRAGMA cache_size=-8192; PRAGMA secure_delete=FAST;"
            "CREATE TABLE IF NOT EXISTS step(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
            NULL, NULL, NULL) != SQLITE_OK)
        bench_die("open %s: %s", file, sqlite3_errmsg(f->db));
    f->add = prepared(f->db, "INSERT INTO step(body) VALUES(?)");
    f->begin = prepared(f->db, "BEGIN IMMEDIATE");
    f->commit = prepared(f->db, "COMMIT");
}

void bench_floor_close(struct bench_floor *f)
{
    sqlite3_stmt *const all[] = {f->add, f->begin, f->commit};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(f->db);
}

static void run_one(sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        bench_die("floor: %s", sqlite3_errmsg(sqlite3_db_handle(s)));
    sqlite3_reset(s);
}

double bench_floor_rows(struct bench_floor *f, int group, double seconds, struct bench_series *us)
{
    static const char body[150] = "as large as the row of a step";
    double from = bench_now(), at = from;
    int64_t rows = 0;
    while (at - from < seconds) {
        run_one(f->begin);
        for (int i = 0; i < group; i++) {
            sqlite3_bind_blob(f->add, 1, body, sizeof(body), SQLITE_STATIC);
            run_one(f->add);
        }
        run_one(f->commit);
        double end = bench_now();
        if (us != NULL)
            bench_add(us, (end - at) * 1e6);
        at = end;
        rows += group;
    }
    return (double)rows / (at - from);
}

/* ---- what was full
 * ------------------------------------------------------------------------------------------ */

static double reeved_ticks(const struct bench_lab *lab)
{
    char path[64], text[1024];
    unsigned long user = 0, sys_ = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", lab->reeved);
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f != NULL)
        (void)fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL ||
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys_) != 2)
        return 0;
    return (double)(user + sys_);
}

/* Milliseconds in which the disk of lab->dir had something to do. */
static double disk_busy_ms(const struct bench_lab *lab)
{
    struct stat st;
    char line[300];
    double busy = 0;
    FILE *f = stat(lab->dir, &st) == 0 ? fopen("/proc/diskstats", "r") : NULL;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        unsigned ma, mi, ms;
        if (sscanf(line, "%u %u %*s %*u %*u %*u %*u %*u %*u %*u %*u %*u %u", &ma, &mi, &ms) == 3 &&
            makedev(ma, mi) == st.st_dev)
            busy = ms;
    }
    if (f != NULL)
        (void)fclose(f);
    return busy;
}

void bench_load_take(const struct bench_lab *lab, struct bench_load *ret)
{
    double t[8] = {0};
    *ret = (struct bench_load){
        .at = bench_now(), .reeved_cpu = reeved_ticks(lab), .disk_ms = disk_busy_ms(lab)};
    FILE *f = fopen("/proc/stat", "r");
    if (f != NULL && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4,
                            t + 5, t + 6, t + 7) == 8)
        for (int i = 0; i < 8; i++) {
            ret->cpu_all += t[i];
            ret->cpu_busy += i == 3 || i == 4 ? 0 : t[i];
        }
    if (f != NULL)
        (void)fclose(f);
}

double bench_load_reeved_us(const struct bench_load *from, const struct bench_load *to)
{
    return (to->reeved_cpu - from->reeved_cpu) / (double)sysconf(_SC_CLK_TCK) * 1e6;
}

void bench_load_put(const struct bench_load *from, const struct bench_load *to, char *text,
                    size_t size)
{
    double wall = MAX(to->at - from->at, 1e-3), all = MAX(to->cpu_all - from->cpu_all, 1);
    double cores = 100 * (to->cpu_busy - from->cpu_busy) / all;
    double reeved = 100 * (to->reeved_cpu - from->reeved_cpu) / (double)sysconf(_SC_CLK_TCK) / wall;
    double disk = (to->disk_ms - from->disk_ms) / 10 / wall;
    const char *full = cores >= 90    ? "the cores are full"
                       : reeved >= 85 ? "reeved's core is full"
                       : disk >= 80   ? "the disk is full"
                                      : "nothing is full: latency of disk and switches";
    (void)snprintf(text, size, "cores %.0f %%, reeved %.0f %% of one, disk %.0f %%: %s", cores,
                   reeved, disk, full);
}
