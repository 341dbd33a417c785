// SPDX-License-Identifier: GPL-2.0-only
/*
 * All of it is in the emulation's archive.
 */
typedef int kcr_driver_is_not_empty;
