/*
 * schema.h - the tables of the view (src/view/schema.sql), embedded at build time.
 */
#ifndef HAKIKA_VIEW_SCHEMA_H
#define HAKIKA_VIEW_SCHEMA_H

#include "base/span.h"

struct span view_schema(void);

#endif
