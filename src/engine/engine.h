/*
 * engine.h - the door of the engine: what drives a book.
 *
 *   recover.h   from the journal to a book
 *   core.h      the turn: commands, batches, admission, durable positions, a moving clock
 *   writer.h    the journal on a thread of its own
 *   snapshot.h  snapshots of a running book
 *   clock.h     the one clock of the process
 */
#ifndef HAKIKA_ENGINE_ENGINE_H
#define HAKIKA_ENGINE_ENGINE_H

#include "engine/clock.h"
#include "engine/core.h"
#include "engine/recover.h"
#include "engine/snapshot.h"
#include "engine/writer.h"

#endif
