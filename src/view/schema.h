/*
 * schema.h - the tables of each book's view (common.sql, with operator.sql or merchant.sql),
 * embedded at build time.
 */
#ifndef HAKIKA_VIEW_SCHEMA_H
#define HAKIKA_VIEW_SCHEMA_H

#include "base/span.h"

struct span view_schema_operator(void);
struct span view_schema_merchant(void);

#endif
