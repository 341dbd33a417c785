#include "commands.h"
#include "suites.h"
namespace kcr::tool {
void add_series(CLI::App&, const Project&, int&) {}
void run_suite_series(SuiteContext&) {}
void run_suite_zero_impact(SuiteContext&) {}
}
