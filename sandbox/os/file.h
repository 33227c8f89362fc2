/*
 * file.h: whole files. Reading is bounded; writing is atomic and durable.
 */
#ifndef REEVE_OS_FILE_H
#define REEVE_OS_FILE_H

#include "policy/text/buf.h"
#include "policy/text/err.h"

/* Whole content, NUL-terminated, malloc'd. Regular files only, -EFBIG over max_bytes. "-" is standard input
 * when dirfd is AT_FDCWD. */
int file_read(int dirfd, const char *path, size_t max_bytes, char **ret, size_t *ret_len, struct err *err) NODISCARD;
int file_read_fd(int fd, const char *name_for_errors, size_t max_bytes, char **ret, size_t *ret_len, struct err *err) NODISCARD;
/* Temporary file beside it, fsync, rename, fsync of the directory. */
int file_write(int dirfd, const char *path, struct str content, mode_t mode, struct err *err) NODISCARD;
/* Nobody but root and `owner` may write it: -EPERM with who can, for files and for directories. */
int file_check_owner(int fd, const char *name_for_errors, uid_t owner, struct err *err) NODISCARD;
/* Names in a directory that end with `suffix`, sorted by bytes; no hidden ones. Free with file_names_free. */
int file_names(int dirfd, const char *suffix, size_t max, char ***ret, size_t *ret_count, struct err *err) NODISCARD;
void file_names_free(char **names, size_t count);
/* mkdir -p, then checks that the last part is a directory. */
int file_mkdirs(const char *path, mode_t mode, struct err *err) NODISCARD;
/* The directory that holds the running program (from /proc/self/exe), so that siblings are found. */
int file_program_dir(char *ret, size_t size, struct err *err) NODISCARD;

#endif
