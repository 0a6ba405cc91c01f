/*
 * test_qr.c - QR pictures: their size, their quiet zone, the modules that libqrencode draws, and
 * texts that do not fit.
 */
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/qr.h"

static uint8_t bytes[64 * 1024];

static uint8_t *pixels_of(size_t size, uint32_t pixels)
{
    png_image image;
    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    assert_int_not_equal(png_image_begin_read_from_memory(&image, bytes, size), 0);
    assert_int_equal(image.width, pixels);
    assert_int_equal(image.height, pixels);
    image.format = PNG_FORMAT_GRAY;
    uint8_t *grey = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(grey);
    assert_int_not_equal(png_image_finish_read(&image, NULL, grey, 0, NULL), 0);
    return grey;
}

static void a_picture_is_a_code(void **state)
{
    (void)state;
    const uint32_t sizes[] = {64, 300, 1024};
    for (size_t i = 0; i < 3; i++) {
        uint32_t n = sizes[i];
        struct writer w = writer_init(bytes, sizeof(bytes));
        assert_true(qr_png(&w, SPAN_LITERAL("hakika:pay?code=PB&cpi=174379"), n));
        uint8_t *grey = pixels_of(w.size, n);
        uint32_t black = 0;
        uint32_t first = n;
        for (uint32_t y = 0; y < n; y++) {
            assert_int_equal(grey[y * n], 255); /* the quiet zone */
            for (uint32_t x = 0; x < n; x++) {
                bool is_black = grey[y * n + x] == 0;
                assert_true(is_black || grey[y * n + x] == 255);
                black += is_black;
                first = is_black && first == n ? y : first;
            }
        }
        assert_true(black > n * n / 16 && black < n * n / 2);
        /* The corner of a finder pattern: seven modules in a row, on both axes. */
        uint32_t run = 0;
        while (grey[first * n + first + run] == 0) {
            run++;
        }
        assert_int_equal(run % 7, 0);
        assert_int_equal(grey[(first + run) * n + first], 255);
        free(grey);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    struct writer w = writer_init(bytes, sizeof(bytes));
    assert_false(qr_png(&w, SPAN_EMPTY, 300));
    assert_false(qr_png(&w, (struct span){text, 2000}, 1024));
    assert_false(qr_png(&w, (struct span){text, 1000}, 64)); /* less than a pixel a module */
    assert_true(qr_png(&w, (struct span){text, 1000}, 300));
    w = writer_init(bytes, 100);
    assert_false(qr_png(&w, SPAN_LITERAL("no room for the picture"), 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_a_code),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
