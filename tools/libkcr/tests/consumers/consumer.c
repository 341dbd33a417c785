// SPDX-License-Identifier: GPL-2.0
/*
 * A program that uses the library as it is installed. Without KCR it computes.
 */
#include <kcr.h>
#include <stdio.h>
#include <string.h>

static int cube(void *result, size_t cap, size_t *len, void *arg)
{
	long n = *(long *)arg;

	if (cap < sizeof(n))
		return -1;
	n = n * n * n;
	memcpy(result, &n, sizeof(n));
	*len = sizeof(n);
	return 0;
}

int main(void)
{
	struct kcr_domain *domain = kcr_domain_create(NULL);
	const struct kcr_function_options options = {
		.size = sizeof(options),
		.name = "cube",
		.key_max = sizeof(long),
		.result_max = sizeof(long),
	};
	struct kcr_function *function = kcr_function_create(domain, &options);
	const char *text;
	long key = 3, result = 0;
	size_t len = 0;
	int err;

	kcr_domain_status(domain, &text);
	err = kcr_call(function, &key, sizeof(key), &result, sizeof(result), &len, cube, &key);
	printf("C: 3 cubed is %ld (%s)\n", result, text);
	kcr_function_destroy(function);
	kcr_domain_destroy(domain);
	return err || result != 27 || len != sizeof(result);
}
