/*
 * cgroup_file.h: the kernel's small files of a control group. Private to cgroup*.c.
 */
#ifndef REEVE_SANDBOX_CGROUP_FILE_H
#define REEVE_SANDBOX_CGROUP_FILE_H

#include "policy/text/base.h"

/* Whole text (their size is 0, so it is read to the end), NUL-terminated; its length or -Exxx. */
ssize_t cgroup_file_read(int dirfd, const char *path, char *text, size_t size);
int cgroup_file_write(int dirfd, const char *path, const char *text);
int cgroup_file_write_number(int dirfd, const char *path, uint64_t v);
/* The number behind "name " at the start of a line; 0 if there is none. */
uint64_t cgroup_file_number(const char *text, const char *name);

#endif
