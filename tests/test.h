/* SPDX-License-Identifier: MIT
 *
 * tests/test.h — TEST(): a Criterion test that also fails on leaks.
 *
 * Criterion leaves a test green when LeakSanitizer reports at exit, so the body runs in a function
 * of its own, not inlined, and the leak check is asserted after it returned (its stack is gone by
 * then). Without AddressSanitizer the check is not there and TEST() is Test(). */
#pragma once

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_LEAK_CHECK 1
#endif
#endif

#ifdef TEST_LEAK_CHECK
int __lsan_do_recoverable_leak_check(void);
#define TEST_LEAKS() __lsan_do_recoverable_leak_check()
#else
#define TEST_LEAKS() 0
#endif

#define TEST(suite, name, ...)                                                                     \
	static __attribute__((noinline)) void suite##_##name##_body(void);                         \
	Test(suite, name, ##__VA_ARGS__)                                                           \
	{                                                                                          \
		suite##_##name##_body();                                                           \
		cr_assert(TEST_LEAKS() == 0, "memory leaked");                                     \
	}                                                                                          \
	static __attribute__((noinline)) void suite##_##name##_body(void)
