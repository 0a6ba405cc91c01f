/*
 * console.h - the console's page, and the gate for requests that web pages make.
 */
#ifndef HAKIKA_FACE_CONSOLE_H
#define HAKIKA_FACE_CONSOLE_H

#include "face/internal.h"

/* A new token for this start. */
void console_token_make(char out[CONSOLE_TOKEN_SIZE]);

/* May this request go on? False after answering: it comes from a web page that is not ours. */
bool console_believes(struct request *q);

/* Answers when the path is the page or a part of it. */
bool console_route(struct request *q);

#endif
