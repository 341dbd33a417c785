// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr for the benchmark: with the emulated driver in the kernel's place.
 */
#include "kcr.h"

#include "emul.h"
#include "system.h"

struct kcr_function *kcr_bench_user_create(uint32_t bytes, uint64_t region_size);

static const struct kcr_system emulated = {
	.open = kcr_emul_open,
	.ioctl = kcr_emul_ioctl,
	.mmap = kcr_emul_mmap,
	.munmap = kcr_emul_munmap,
	.close = kcr_emul_close,
};

/* Samples and audits are as programs have them */
__attribute__((visibility("default"))) struct kcr_function *kcr_bench_user_create(uint32_t bytes,
										    uint64_t region_size)
{
	const struct kcr_function_options options = {
		.size = sizeof(options),
		.name = "bench",
		.key_max = bytes,
		.result_max = bytes,
		.flags = KCR_PURE | KCR_ALWAYS,
	};
	const struct kcr_domain_options in = { .size = sizeof(in), .region_size = region_size };
	struct kcr_function *function;
	struct kcr_domain *domain;

	kcr_system = &emulated;
	domain = kcr_domain_create(&in);
	function = kcr_function_create(domain, &options);
	kcr_domain_destroy(domain);
	return function;
}
