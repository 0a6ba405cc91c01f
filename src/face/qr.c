/*
 * qr.c - see qr.h. Tests: tests/unit/test_qr.c; read back by a scanner in tests/e2e.
 */
#include "face/qr.h"

#include <png.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET_MODULES = 4, QR_TEXT_BYTES_MAX = 1024 };

/* One row of the picture, a byte a pixel: 0 black, 255 white. */
static void draw_row(uint8_t *row, const QRcode *qr, uint32_t pixels, uint32_t scale, uint32_t y)
{
    uint32_t width = (uint32_t)qr->width;
    uint32_t margin = (pixels - width * scale) / 2;
    memset(row, 255, pixels);
    if (y < margin || (y - margin) / scale >= width) {
        return;
    }
    const unsigned char *modules = qr->data + (size_t)((y - margin) / scale) * width;
    for (uint32_t x = 0; x < width * scale; x++) {
        row[margin + x] = (modules[x / scale] & 1) != 0 ? 0 : 255;
    }
}

static bool write_png(struct writer *out, const uint8_t *grey, uint32_t pixels)
{
    png_image image;
    png_alloc_size_t size = out->capacity - out->size;
    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    image.width = pixels;
    image.height = pixels;
    image.format = PNG_FORMAT_GRAY;
    if (out->overflow ||
        png_image_write_to_memory(&image, out->data + out->size, &size, 0, grey, 0, NULL) == 0) {
        png_image_free(&image);
        return false;
    }
    out->size += size;
    return true;
}

bool qr_png(struct writer *out, struct span text, uint32_t pixels)
{
    uint8_t bytes[QR_TEXT_BYTES_MAX];
    if (text.size == 0 || text.size > sizeof(bytes)) {
        return false;
    }
    memcpy(bytes, text.data, text.size);
    QRcode *qr = QRcode_encodeData((int)text.size, bytes, 0, QR_ECLEVEL_M);
    uint32_t scale = qr == NULL ? 0 : pixels / ((uint32_t)qr->width + 2 * QUIET_MODULES);
    uint8_t *grey = scale == 0 ? NULL : malloc((size_t)pixels * pixels);
    for (uint32_t y = 0; grey != NULL && y < pixels; y++) {
        draw_row(grey + (size_t)y * pixels, qr, pixels, scale, y);
    }
    bool made = grey != NULL && write_png(out, grey, pixels);
    free(grey);
    QRcode_free(qr);
    return made;
}
