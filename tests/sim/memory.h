/*
 * memory.h - allocations that fail: inside a window (a call into the engine) the n-th one returns
 * NULL. The program is linked with --wrap, so that the code under test needs no change.
 */
#ifndef HAKIKA_SIM_MEMORY_H
#define HAKIKA_SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation inside windows fails; 0: none. */
void memory_fail_in(uint32_t allocations);
void memory_window(bool open);
/* How many have failed since the program began. */
uint64_t memory_failures(void);

/* What is freed stays with the process: lives follow each other, and each wants as much again. */
void memory_stays(void);

#endif
