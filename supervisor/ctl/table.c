/*
 * table.c: columns that line up, as wide as what is in them and no wider than the terminal.
 */
#include "supervisor/ctl/table.h"

#define CELL_MAX     1000
#define GAP          2
#define SQUEEZED_MIN 8

void table_init(struct table *t, const struct table_column *columns, size_t count)
{
    must(count > 0 && count <= TABLE_COLUMNS_MAX);
    *t = (struct table){.columns = columns, .column_count = count};
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){0};
}

void table_add(struct table *t, enum ink ink, struct str text)
{
    if (t->failed || t->cell_count == TABLE_ROWS_MAX * t->column_count)
        return;
    if (t->cell_count == t->cell_room) {
        size_t room = t->cell_room ? t->cell_room * 2 : 64;
        struct table_cell *grown = realloc(t->cells, room * sizeof(*grown));
        if (!grown) {
            t->failed = ENOMEM;
            return;
        }
        t->cells = grown;
        t->cell_room = room;
    }
    struct buf visible;
    struct table_cell *cell = &t->cells[t->cell_count];
    buf_init(&visible, CELL_MAX * 16);
    cells_put(&visible, text, CELL_MAX, true);
    *cell = (struct table_cell){.ink = ink};
    cell->text = buf_take(&visible, &cell->len);
    if (cell->text)
        t->cell_count++;
    else
        t->failed = ENOMEM;
}

void table_fmt(struct table *t, enum ink ink, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    buf_init(&text, CELL_MAX * 4);
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    table_add(t, ink, buf_str(&text));
    buf_release(&text);
}

static struct str text_of(const struct table *t, size_t row, size_t column)
{
    const struct table_cell *c = &t->cells[row * t->column_count + column];
    return (struct str){c->text, c->len};
}

static void measure(const struct table *t, size_t width, size_t widths[TABLE_COLUMNS_MAX])
{
    size_t rows = t->cell_count / t->column_count;
    size_t total = GAP * (t->column_count - 1);
    for (size_t c = 0; c < t->column_count; c++) {
        widths[c] = cells_width(str_of(t->columns[c].title));
        for (size_t r = 0; r < rows; r++)
            widths[c] = MAX(widths[c], cells_width(text_of(t, r, c)));
        total += widths[c];
    }
    for (size_t c = t->column_count; c-- > 0 && total > width;) {
        if (!t->columns[c].squeeze || widths[c] <= SQUEEZED_MIN)
            continue;
        size_t by = MIN(total - width, widths[c] - SQUEEZED_MIN);
        widths[c] -= by;
        total -= by;
    }
}

static void put_cell(const struct table *t, const struct style *s, struct buf *out, size_t column,
                     size_t width, enum ink ink, struct str text)
{
    bool is_last = column + 1 == t->column_count;
    size_t have = MIN(cells_width(text), width);
    if (t->columns[column].right)
        cells_pad(out, have, width);
    style_foreign(out, s, ink, text, width);
    if (is_last)
        return;
    if (!t->columns[column].right)
        cells_pad(out, have, width);
    cells_pad(out, 0, GAP);
}

void table_put(const struct table *t, const struct style *s, struct buf *out)
{
    size_t widths[TABLE_COLUMNS_MAX];
    size_t rows = t->cell_count / t->column_count;
    if (!rows)
        return;
    measure(t, s->width, widths);
    for (size_t c = 0; c < t->column_count; c++)
        put_cell(t, s, out, c, widths[c], INK_DIM, str_of(t->columns[c].title));
    buf_char(out, '\n');
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < t->column_count; c++)
            put_cell(t, s, out, c, widths[c], t->cells[r * t->column_count + c].ink,
                     text_of(t, r, c));
        buf_char(out, '\n');
    }
}
