/*
 * qr.h - a text as a QR code in a PNG picture (libqrencode, libpng).
 */
#ifndef HAKIKA_FACE_QR_H
#define HAKIKA_FACE_QR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

/* Black on white, a square of that many pixels a side with the quiet zone that scanners ask for.
 * False when the text does not fit a picture of that size at a pixel a module, or there is no
 * memory. */
bool qr_png(struct writer *out, struct span text, uint32_t pixels) MUST_USE;

#endif
