// SPDX-License-Identifier: GPL-2.0
// Misuse of the C++ interface does not compile, and the compiler says what to do.
#include <array>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/wait.h>

namespace kcr::tests
{

namespace
{

constexpr int fine = 26;
const std::string source = KCR_TESTS "/misuse.cpp";

/// What the compiler says of a case; its exit status goes to @p status.
std::string compile(int number, int& status)
{
    const std::string command =
        std::string(KCR_CXX) +
        " -std=c++20 -fsyntax-only -I" KCR_TESTS "/../include -DCASE=" + std::to_string(number) +
        " " + source + " 2>&1";
    std::string output;
    FILE* pipe = popen(command.c_str(), "r"); // NOLINT(cert-env33-c)
    if (pipe == nullptr)
        return "popen() failed";
    std::array<char, 4096> buffer;
    while (const auto size = fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), size);
    const int wait_status = pclose(pipe);
    status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    return output;
}

/// What case @p number is expected to say.
std::string expectation(int number)
{
    std::ifstream file(source);
    std::string line;
    bool here = false;
    while (std::getline(file, line)) {
        if (line.starts_with("#"))
            here = line.ends_with("CASE == " + std::to_string(number));
        const auto at = line.find("// expect: ");
        if (here && at != std::string::npos)
            return line.substr(at + 11);
    }
    return {};
}

class MisuseTest : public testing::TestWithParam<int>
{
};

TEST_P(MisuseTest, DoesNotCompile)
{
    int status = 0;
    const auto output = compile(GetParam(), status);
    const auto expected = expectation(GetParam());
    ASSERT_FALSE(expected.empty());
    EXPECT_EQ(status, 1) << output;
    EXPECT_NE(output.find(expected), std::string::npos) << expected << "\n" << output;
}

INSTANTIATE_TEST_SUITE_P(Cases, MisuseTest, testing::Range(0, fine));

TEST(MisuseCheckTest, WhatIsFineCompiles)
{
    int status = -1;
    EXPECT_EQ(compile(fine, status), "");
    EXPECT_EQ(status, 0);
}

} // namespace

} // namespace kcr::tests
