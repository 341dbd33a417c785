// SPDX-License-Identifier: GPL-2.0
/*
 * The C interface as a C program uses it.
 */
#include "kcr.h"
#include "plain_c.h"

#include <string.h>

struct square {
	int computed;
	int fail;
};

static int square(void *result, size_t cap, size_t *len, void *arg)
{
	struct square *s = arg;
	long answer;

	s->computed++;
	if (s->fail || cap < sizeof(answer))
		return s->fail;
	answer = 49;
	memcpy(result, &answer, sizeof(answer));
	*len = sizeof(answer);
	return 0;
}

int plain_c_call(struct kcr_function *f, int fail, int *computed)
{
	struct square s = { .fail = fail };
	long key = 7, answer = 0;
	size_t len = 0;
	int err;

	err = kcr_call(f, &key, sizeof(key), &answer, sizeof(answer), &len, square, &s);
	*computed = s.computed;
	if (err)
		return err;
	return len == sizeof(answer) ? (int)answer : -1;
}
