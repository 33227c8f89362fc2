/*
 * banned.h: functions that no file of ours calls; each has a safer form beside it.
 */
#ifndef REEVE_TEXT_BANNED_H
#define REEVE_TEXT_BANNED_H

#include <stdio.h>
#include <string.h>
#include <time.h>

/* With FORTIFY and clang these are macros; a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atoll gmtime localtime ctime asctime
#pragma GCC poison tmpnam mktemp tempnam

#endif
