/*
 * coverage.h - for script/coverage: a child that ends with _exit writes down what it counted, which
 * otherwise only exit does. Nothing in every other build.
 */
#ifndef HAKIKA_SUPPORT_COVERAGE_H
#define HAKIKA_SUPPORT_COVERAGE_H

#ifdef HAKIKA_COVERAGE
void __gcov_dump(void);
#endif

static inline void coverage_dump(void)
{
#ifdef HAKIKA_COVERAGE
    __gcov_dump();
#endif
}

#endif
