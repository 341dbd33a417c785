# SPDX-License-Identifier: GPL-2.0
# A grid has few different coordinates, but libm is faster than any memory.
set terminal dumb 100 40
set samples 400
set isosamples 150
splot sin(x * x * 0.1) * exp(-abs(y) * 0.2) + abs(y)**1.5 * 0.01
do for [i = 1:30] { plot sin(x)**2 + exp(-x * x / i) + abs(x)**1.7 }
