/*
 * engine.h - the door of the engine: what drives a book.
 *
 *   recover.h   from the journal to a book
 *   core.h      the turn: commands, batches, admission, durable positions, a moving clock
 *   writer.h    the journal on a thread of its own
 *   snapshot.h  snapshots of a running book
 *   index.h     what has left memory, found by its ids
 *   keeper.h    sees to it that what is closed leaves
 *   clock.h     the one clock of the process
 */
#ifndef HAKIKA_ENGINE_ENGINE_H
#define HAKIKA_ENGINE_ENGINE_H

#include "engine/clock.h"
#include "engine/core.h"
#include "engine/index.h"
#include "engine/keeper.h"
#include "engine/recover.h"
#include "engine/snapshot.h"
#include "engine/writer.h"

#endif
