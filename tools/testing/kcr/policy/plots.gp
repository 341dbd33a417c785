# SPDX-License-Identifier: GPL-2.0
# Called by study.sh with data and out set to directories.
set terminal svg size 960,400 font "sans-serif,12" background "white"
set style data histograms
set style histogram clustered gap 1
set style fill solid noborder
set border 3
set tics nomirror out
set grid ytics lc rgb "#dddddd"
set key outside top center horizontal samplen 1
set yrange [0:100]
set xtics rotate by -25 left
c1 = "#9e9e9e"; c2 = "#6baed6"; c3 = "#fdae6b"; c4 = "#9e9ac8"
c5 = "#74c476"; c6 = "#525252"; c7 = "#d62728"

set ylabel "hits, %"
set output out."/kcr-policy-eviction.svg"
plot data."/eviction" using 2:xtic(1) title "clock" lc rgb c1, \
     "" using 3 title "clock-random" lc rgb c2, \
     "" using 4 title "random" lc rgb c3, \
     "" using 5 title "srrip" lc rgb c4, \
     "" using 6 title "sieve" lc rgb c5, \
     "" using 7 title "lru" lc rgb c6, \
     "" using 8 title "lives-key (chosen)" lc rgb c7

set output out."/kcr-policy-admission.svg"
plot data."/admission" using 2:xtic(1) title "always" lc rgb c1, \
     "" using 3 title "second" lc rgb c2, \
     "" using 4 title "1-in-4" lc rgb c3, \
     "" using 5 title "free-or-second (chosen)" lc rgb c7

set ylabel "hits that the victim keeps, %"
set xlabel "how often the attacker sends each key, number of its owners"
set xtics norotate
set yrange [0:105]
set output out."/kcr-policy-flood.svg"
plot data."/flood" using 2:xtic(1) title "no share, always" lc rgb c1, \
     "" using 3 title "no share, free-or-second" lc rgb c2, \
     "" using 4 title "strict share" lc rgb c3, \
     "" using 5 title "read first, share (chosen)" lc rgb c7, \
     70 with lines title "demanded" lc rgb "black" dt 2
