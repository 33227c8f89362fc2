/*
 * commands.h: the functions of commands.def. Each returns an exit code and has told its errors.
 */
#ifndef REEVE_CTL_COMMANDS_H
#define REEVE_CTL_COMMANDS_H

struct ctl;
#define COMMAND(words, args, min, max, options, run, summary, details, example) int run(struct ctl *c);
#include "supervisor/ctl/commands.def"
#undef COMMAND

#endif
