/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PLAIN_C_H
#define PLAIN_C_H

#ifdef __cplusplus
extern "C" {
#endif

struct kcr_function;

/* The square of 7, or @fail if that is not 0; @computed: how often it was computed */
int plain_c_call(struct kcr_function* f, int fail, int* computed);

#ifdef __cplusplus
}
#endif

#endif /* PLAIN_C_H */
