/*
 * bench.h - `hakika bench PROFILE`: measures the program against itself, on this machine.
 *
 * The server that is measured is the real one: this program started once more as `hakika serve` on
 * a folder below the working directory, on a free port of loopback. Generator and sink run in this
 * process, on the same cores. Profile `ledger` runs the engine, the journal and its thread in
 * process. Nothing stays behind: folder and server go at the end, also after Ctrl-C.
 */
#ifndef HAKIKA_APP_BENCH_BENCH_H
#define HAKIKA_APP_BENCH_BENCH_H

/* The arguments after "bench". Exit status: 0 measured and every sum agrees; 1 not; 2 usage. */
int bench_command(int argc, char **argv);

#endif
