/*
 * cells.h: text measured in terminal cells, for columns that line up. Pure.
 *
 * All foreign text that reaches a terminal passes through here: utf8_put_visible first, so that no byte of
 * a tool, model or event can move the cursor, colour, retitle or reorder a line.
 */
#ifndef REEVE_CTL_CELLS_H
#define REEVE_CTL_CELLS_H

#include "policy/text/buf.h"

size_t cells_width(struct str visible); /* cells that it takes */
/* Appends foreign text, made visible, on one line (line breaks and tabs become a space, runs of spaces
 * one), cut to `max` cells with an ellipsis ("~" where !utf8). Returns the cells that it took. */
size_t cells_put(struct buf *out, struct str foreign, size_t max, bool utf8);
/* Spaces from `have` to `want`. */
void cells_pad(struct buf *out, size_t have, size_t want);

#endif
