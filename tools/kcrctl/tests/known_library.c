// SPDX-License-Identifier: GPL-2.0
/* A library with debug information. */
#include <stdarg.h>

struct pair {
	double a, b;
};

typedef const int count_t;

float kcr_test_function(double a, count_t b, const char *c, struct pair d);
int kcr_test_variadic(int a, ...);

static int kcr_test_hidden(int a)
{
	return a;
}

float kcr_test_function(double a, count_t b, const char *c, struct pair d)
{
	return (float)(a + b + *c + d.a + kcr_test_hidden(b));
}

int kcr_test_variadic(int a, ...)
{
	va_list list;
	int b;

	va_start(list, a);
	b = va_arg(list, int);
	va_end(list);
	return a + b;
}
