-- SPDX-License-Identifier: GPL-2.0
-- A regular expression over a column with few different texts.
.load /usr/lib/sqlite3/pcre.so
create table log(line text);
with recursive n(i) as (values(0) union all select i + 1 from n where i < 50000)
insert into log select 'host' || (i % 40) || '.example.org GET /' || (i * 7919 % 50) || ' aaaaaaaaaaaaaaa' from n;
select count(*), sum(line regexp '(a|aa)+$'), sum(line regexp '^host(1|2).*/[0-9]9 ') from log;
