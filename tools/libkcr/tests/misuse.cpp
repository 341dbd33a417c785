// SPDX-License-Identifier: GPL-2.0
// What must not compile, one case at a time: misuse_test.cpp compiles each with -DCASE=n, and looks
// for what the compiler is expected to say.
#include "kcr.hpp"
#include "kcr_track.hpp"

#include <functional>
#include <map>

struct Padded {
    char c;
    int i;
};
struct Floating {
    float x;
};
struct Changing {
    int n = 0;
    int operator()(int m)
    {
        return m + n++;
    }
};
struct Overloaded {
    int operator()(int n) const;
    int operator()(long n) const;
};
int with_pointer(const int* p);
int with_text(const char* text);
int with_reference(int& out);
int with_span(std::span<int> out);
int with_padding(Padded p);
int with_floats(Floating f);
int with_map(const std::map<int, int>& map);
int with_long_double(long double x);
int with_pointers(std::vector<int*> pointers);
void nothing(int n);
int* pointer(int n);
const int& reference(int n);
std::string_view view(int n);
Padded padded(int n);
int reads(std::span<const int> table, int n);
int reads_another(std::span<const long> table);
int reads_with_pointer(std::span<const int> table, const char* text);

void misuse(int captured)
{
    (void)captured;
#if CASE == 0
    kcr::memoize(with_pointer); // expect: a pointer says nothing of what it points to
#elif CASE == 1
    kcr::memoize(with_text); // expect: take std::string_view
#elif CASE == 2
    kcr::memoize(with_reference); // expect: must not be a reference that can be written through
#elif CASE == 3
    kcr::memoize(with_span); // expect: take std::span<const T>
#elif CASE == 4
    kcr::memoize(with_padding); // expect: trivially copyable without padding
#elif CASE == 5
    kcr::memoize(with_floats); // expect: kcr::no_padding to vouch for it
#elif CASE == 6
    kcr::memoize(with_map); // expect: specialise kcr::key_traits
#elif CASE == 7
    kcr::memoize(with_long_double); // expect: without padding
#elif CASE == 8
    kcr::memoize(with_pointers); // expect: the elements must be trivially copyable
#elif CASE == 9
    kcr::memoize(nothing); // expect: a function without a result has nothing to reuse
#elif CASE == 10
    kcr::memoize(pointer); // expect: a result must not be a reference or a pointer
#elif CASE == 11
    kcr::memoize(reference); // expect: a result must not be a reference or a pointer
#elif CASE == 12
    kcr::memoize(view); // expect: a result must not be a view
#elif CASE == 13
    kcr::memoize(padded); // expect: a result must be trivially copyable without padding
#elif CASE == 14
    kcr::memoize(
        [captured](int n) { return n + captured; }); // expect: captures is not part of the key
#elif CASE == 15
    kcr::memoize(Changing()); // expect: make its operator() const
#elif CASE == 16
    kcr::memoize(Overloaded()); // expect: more than one signature
#elif CASE == 17
    kcr::memoize(std::function<int(int)>()); // expect: captures is not part of the key
#elif CASE == 18
    auto map_of = [](int n) { return std::map<int, int>{{n, n}}; };
    kcr::memoize([](int n) { return n; }, kcr::with_key(map_of)); // expect: a key must be made of
#elif CASE == 19
    kcr::memoize(reads, kcr::depends_on(std::vector<int>(8))); // expect: a temporary does not stay
#elif CASE == 20
    std::vector<int*> pointers;
    kcr::memoize(reads, kcr::depends_on(pointers)); // expect: without pointers
#elif CASE == 21
    std::vector<int> table;
    kcr::memoize(reads_another, kcr::depends_on(table)); // expect: what it depends on first
#elif CASE == 22
    std::vector<int> table;
    kcr::memoize([&](std::span<const int> all) { return all[0] + captured; },
                 kcr::depends_on(table)); // expect: or depend on it
#elif CASE == 23
    std::vector<int> table;
    kcr::memoize(reads_with_pointer, kcr::depends_on(table)); // expect: take std::string_view
#elif CASE == 24
    std::vector<int> table;
    kcr::memoize(reads, kcr::depends_on(table, table)); // expect: what it depends on first
#elif CASE == 25
    kcr::memoize(reads, kcr::depends_on()); // expect: one to eight memories
#elif CASE == 26
    std::vector<int> table;
    kcr::memoize(reads, kcr::depends_on(table));
    kcr::memoize([](int n) { return n; }); // fine: that the others fail is not for want of a header
#endif
}
