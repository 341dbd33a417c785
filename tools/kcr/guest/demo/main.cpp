// SPDX-License-Identifier: GPL-2.0
/** @file main.cpp
 * kcr-demo: the files of a real tree, hashed and encrypted block by block
 * through AF_ALG, several times over, with and without reuse.
 *
 * Prints progress on stderr and one JSON document on stdout. Exit status: 0 all
 * answers identical, 1 an answer differed, 2 it could not run, 4 this kernel
 * has no KCR.
 */
#include <CLI/CLI.hpp>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <map>

#include "report.hpp"

namespace
{

enum ExitStatus : int { all_identical = 0, answers_differ = 1, cannot_run = 2, no_kcr = 4 };

struct Options {
    std::string tree;
    size_t blocks = 1000;
    size_t block_size = 4096;
    demo::Plan plan;
};

const std::map<std::string, demo::Order> orders = {{"passes", demo::Order::passes},
                                                   {"zipf", demo::Order::zipf},
                                                   {"loop", demo::Order::loop},
                                                   {"mixed", demo::Order::mixed}};

/* Trees that a machine is likely to have, the first with files in it wins. */
constexpr std::array<const char*, 4> default_trees = {"/usr/share/doc", "/usr/share", "/usr/lib",
                                                      "/etc"};

/* The driver that the kernel prefers, and what a machine without AES-NI has. */
constexpr std::array<const char*, 2> ciphers = {"cbc(aes)", "cbc(aes-generic)"};

demo::Corpus read_corpus(Options& options)
{
    if (!options.tree.empty())
        return {options.tree, options.blocks, options.block_size};
    for (const char* tree : default_trees) {
        demo::Corpus corpus(tree, options.blocks, options.block_size);
        options.tree = tree;
        if (corpus.size() >= options.blocks / 2)
            return corpus;
    }
    throw std::runtime_error("none of the default trees has enough files; say --tree DIR");
}

int run(Options options)
{
    kcr::require_kcr();
    const demo::Corpus corpus = read_corpus(options);
    const bool instructions = demo::ticks_are_instructions();
    std::vector<demo::SiteResult> sites;
    demo::Answers digests;

    if (corpus.size() == 0)
        throw std::runtime_error("no readable file in " + options.tree);
    std::fprintf(stderr, "%s: %zu blocks of %zu files, %zu bytes, %u passes\n",
                 options.tree.c_str(), corpus.size(), corpus.files(), corpus.bytes(),
                 options.plan.passes);
    sites.push_back(demo::run_hash(corpus, options.plan, digests));
    demo::print_site(sites.back(), instructions);
    for (const char* algorithm : ciphers) {
        if (!afalg::try_bind("skcipher", algorithm))
            continue;
        sites.push_back(demo::run_encrypt(corpus, algorithm, options.plan, digests));
        demo::print_site(sites.back(), instructions);
    }

    const auto result = demo::to_json(options.tree, corpus, options.plan.passes, sites);
    std::cout << result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    if (!result["identical"].get<bool>())
        return answers_differ;
    std::fprintf(stderr, "all %" PRIu64 " answers identical\n", result["answers"].get<uint64_t>());
    return all_identical;
}

int parse_and_run(int argc, char** argv)
{
    CLI::App app("Hashes and encrypts real files through AF_ALG with and without reuse, and\n"
                 "compares every answer. Needs root on a kernel with CONFIG_KCR=y.",
                 "kcr-demo");
    Options options;

    app.add_option("--tree", options.tree, "directory to read (default: one that is there)");
    app.add_option("--blocks", options.blocks, "how many blocks to read")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
    app.add_option("--block-size", options.block_size, "bytes in a block")
        ->check(CLI::Range(16, 65536))
        ->capture_default_str();
    app.add_option("--passes", options.plan.passes,
                   "how often to go over all blocks, or make as many requests")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--order", options.plan.order, "in which order: passes, zipf, loop, mixed")
        ->transform(CLI::CheckedTransformer(orders));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) ? cannot_run : all_identical;
    }
    return run(options);
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return parse_and_run(argc, argv);
    } catch (const tap::Skip& skip) {
        std::fprintf(stderr, "kcr-demo: %s\n", skip.what());
        return no_kcr;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-demo: %s\n", error.what());
        return cannot_run;
    }
}
