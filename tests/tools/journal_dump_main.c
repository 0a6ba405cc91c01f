/*
 * journal_dump_main.c - journal_dump DIRECTORY: lists the batches of a journal (journal_dump.h).
 */
#include "tools/journal_dump.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: journal_dump DIRECTORY\n");
        return 2;
    }
    return journal_dump(argv[1], stdout);
}
