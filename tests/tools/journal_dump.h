/*
 * journal_dump.h - a second reader of the journal, written from docs/journal-format.md alone: it
 * shares no code with src/. When it and the real reader disagree, one of them or the page is wrong.
 */
#ifndef HAKIKA_TOOLS_JOURNAL_DUMP_H
#define HAKIKA_TOOLS_JOURNAL_DUMP_H

#include <stdio.h>

/*
 * Prints one line per batch and a last line about the end:
 *   batch NUMBER positions FIRST-LAST time NS epoch E at SEGMENT:OFFSET payload BYTES hash HEX
 *   head BATCH clean | torn | empty
 * Returns 0, or 1 after printing `damage at SEGMENT:OFFSET` or why the directory is not a journal.
 */
int journal_dump(const char *directory, FILE *out);

#endif
