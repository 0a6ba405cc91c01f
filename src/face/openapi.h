/*
 * openapi.h - the OpenAPI document of the operator's surfaces (src/face/openapi.json), embedded at
 * build time.
 */
#ifndef HAKIKA_FACE_OPENAPI_H
#define HAKIKA_FACE_OPENAPI_H

#include "base/span.h"

struct span openapi_document(void);

#endif
