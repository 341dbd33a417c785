// SPDX-License-Identifier: GPL-2.0
#include "program.h"

#include <cstring>

namespace
{

struct Scenario {
    const char* name;
    void (*run)();
};

constexpr Scenario scenarios[] = {
    {"integers", integers},       {"floating", floating}, {"structures", structures},
    {"memory", memory},           {"outputs", outputs},   {"stack_arguments", stack_arguments},
    {"effects", effects},         {"rounding", rounding}, {"control", control},
    {"throwing", throwing},       {"jumping", jumping},   {"recursion", recursion},
    {"signals", signals},         {"threads", threads},   {"forking", forking},
    {"symbols", symbols},         {"impure", impure},     {"large", large},
    {"descriptors", descriptors}, {"sandbox", sandbox},   {"stack", stack},
    {"watching", watching},
};

} // namespace

int main(int argc, char** argv)
{
    if (argc == 3 && std::strcmp(argv[1], "plugin") == 0) {
        plugin(argv[2]);
        return 0;
    }
    for (const auto& scenario : scenarios) {
        if (argc == 2 && std::strcmp(scenario.name, argv[1]) == 0) {
            scenario.run();
            return 0;
        }
    }
    std::fprintf(stderr, "which scenario?\n");
    return 2;
}
