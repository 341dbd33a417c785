// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "process.h"
#include "project.h"
#include "tempdir.h"
#include "text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace kcr::tool
{

/// A repository in miniature with its own kernel tarball of a few files.
class MiniProject : public ::testing::Test
{
protected:
    void SetUp() override
    {
        auto made = TempDir::make(std::filesystem::temp_directory_path());
        ASSERT_TRUE(made);
        dir_.emplace(std::move(*made));
        kernel("crypto/hash.c", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
        kernel("Makefile", "all:\n");
        pack();
        ::setenv(tarball_variable, tarball().c_str(), 1);
        ASSERT_TRUE(project().make_directories());
    }

    void TearDown() override
    {
        ::unsetenv(tarball_variable);
    }

    [[nodiscard]] const std::filesystem::path& root() const
    {
        return root_ = dir_->path() / "repo";
    }
    [[nodiscard]] Project project() const
    {
        return Project(root());
    }
    [[nodiscard]] std::filesystem::path tarball() const
    {
        return dir_->path() / "linux.tar.xz";
    }

    static void put(const std::filesystem::path& path, const std::string& content)
    {
        std::filesystem::create_directories(path.parent_path());
        ASSERT_TRUE(write_file_atomic(path, content));
    }
    void kernel(const std::string& path, const std::string& content)
    {
        put(dir_->path() / "linux-source-6.12" / path, content);
    }
    void repo(const std::string& path, const std::string& content)
    {
        put(root() / path, content);
    }
    void pack()
    {
        ASSERT_TRUE(run_ok({.argv = {"tar", "-cJf", tarball().string(), "-C", dir_->path().string(),
                                     "linux-source-6.12"}}));
    }
    static std::string content(const std::filesystem::path& path)
    {
        const auto text = read_file(path);
        return text ? *text : "(cannot be read)";
    }
    /// A patch that replaces @p before by @p after in the middle of crypto/hash.c.
    static std::string hash_patch(const std::string& before, const std::string& after)
    {
        return "From: A <a@b.example>\nSubject: crypto: change " + before +
               "\n\nBecause.\n\nSigned-off-by: A <a@b.example>\n---\n"
               "--- a/crypto/hash.c\n+++ b/crypto/hash.c\n@@ -1,7 +1,7 @@\n one\n two\n three\n-" +
               before + "\n+" + after + "\n five\n six\n seven\n";
    }

private:
    std::optional<TempDir> dir_;
    mutable std::filesystem::path root_;
};

} // namespace kcr::tool
