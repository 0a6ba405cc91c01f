/*
 * main.c - the command line: hakika COMMAND [FLAGS].
 */
#include <stdio.h>
#include <string.h>

#include "app/bench/bench.h"
#include "app/command.h"
#include "app/doctor.h"
#include "app/explain.h"
#include "app/export.h"
#include "app/listen.h"
#include "app/serve.h"
#include "app/verify.h"
#include "app/view.h"
#include "book/book.h"
#include "journal/journal.h"

static int usage(FILE *to)
{
    (void)fprintf(to,
                  "hakika " HAKIKA_VERSION " - mobile money that never loses or doubles a payment\n"
                  "\n"
                  "  hakika serve [FLAGS]   run the operator: an M-Pesa for your Daraja "
                  "integration\n"
                  "  hakika bench [PROFILE] measure this program on this machine\n"
                  "  hakika verify DIR      prove from the journal that nothing was lost or "
                  "doubled\n"
                  "  hakika query \"select ...\"  ask the payments, callbacks and accounts in SQL\n"
                  "  hakika view rebuild DIR   build those tables again from the journal\n"
                  "  hakika export DIR      write a day's payments and entries as files\n"
                  "  hakika explain ID      tell every step of one payment, and why\n"
                  "  hakika doctor          look at everything that production needs\n"
                  "  hakika listen          print the callbacks that arrive at port 9000\n"
                  "  hakika --version       versions of the program and of its formats\n"
                  "\n"
                  "hakika COMMAND --help explains a command.\n");
    return to == stderr ? EXIT_USAGE : EXIT_GOOD;
}

static int command_serve(int argc, char **argv)
{
    struct config config;
    char error[256];
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        (void)printf("hakika serve [FLAGS]: runs the operator until it is told to stop.\n\n%s",
                     config_help());
        return EXIT_GOOD;
    }
    if (!config_parse(argc, argv, &config, error)) {
        (void)fprintf(stderr, "hakika: %s\n", error);
        return EXIT_USAGE;
    }
    return serve(&config);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return usage(stderr);
    }
    if (strcmp(argv[1], "serve") == 0) {
        return command_serve(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "bench") == 0) {
        return bench_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "verify") == 0) {
        return verify_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "view") == 0) {
        return view_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "query") == 0) {
        return query_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "export") == 0) {
        return export_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "explain") == 0) {
        return explain_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "doctor") == 0) {
        return doctor_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "listen") == 0) {
        return listen_command(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("hakika " HAKIKA_VERSION ", journal format %d (reads from %d), state %d\n",
                     JOURNAL_FORMAT_VERSION, JOURNAL_FORMAT_OLDEST, BOOK_STATE_VERSION);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return usage(stdout);
    }
    (void)fprintf(stderr, "hakika: there is no command \"%.40s\"\n\n", argv[1]);
    return usage(stderr);
}
