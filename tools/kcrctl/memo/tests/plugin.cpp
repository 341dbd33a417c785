// SPDX-License-Identifier: GPL-2.0
// A library that a program loads while it runs, and that calls what is reused.
#include "subject.h"

extern "C" std::int32_t plugin_calls(std::int32_t a)
{
    return subject_i32(a, 5);
}
