#include "commands.h"
namespace kcr::tool {
void add_doctor(CLI::App&, const Project&, int&) {}
void add_test(CLI::App&, const Project&, int&) {}
void add_bench(CLI::App&, const Project&, int&) {}
void add_demo(CLI::App&, const Project&, int&) {}
void add_series(CLI::App&, const Project&, int&) {}
}
