/*
 * documents.h - documents that are embedded at build time: the OpenAPI documents of both
 * surfaces, the JSON schema of the rules document, the rules of --magic, the payer's page (all in
 * src/face), and the console's page (console/).
 */
#ifndef HAKIKA_FACE_DOCUMENTS_H
#define HAKIKA_FACE_DOCUMENTS_H

#include "base/span.h"

struct span openapi_document(void);
struct span openapi_merchant_document(void); /* of the merchant's surface */
struct span rules_schema_document(void);
struct span magic_document(void);
/* The payer's page with its {marks}, what it runs (shops embed it too) and its style. */
struct span checkout_page_document(void);
struct span checkout_script_document(void);
struct span checkout_style_document(void);

/* The page with its {token}; its script and style compressed with gzip, empty in a build without
 * Node.js: then the page says what is missing. */
struct span console_page(void);
struct span console_script(void);
struct span console_style(void);
/* Another one for other contents. */
const char *console_version(void);

#endif
