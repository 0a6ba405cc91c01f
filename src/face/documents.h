/*
 * documents.h - documents that are embedded at build time: the OpenAPI document of the operator's
 * surfaces, the JSON schema of the rules document, and the rules of --magic (all in src/face).
 */
#ifndef HAKIKA_FACE_DOCUMENTS_H
#define HAKIKA_FACE_DOCUMENTS_H

#include "base/span.h"

struct span openapi_document(void);
struct span rules_schema_document(void);
struct span magic_document(void);

#endif
