/*
 * serve.h - hakika serve: one process, one loop per book.
 */
#ifndef HAKIKA_APP_SERVE_H
#define HAKIKA_APP_SERVE_H

#include "app/config.h"

#define HAKIKA_VERSION "0.1.0"

/* Runs until told to stop; returns the exit status. */
int serve(const struct config *config);

#endif
