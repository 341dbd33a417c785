// SPDX-License-Identifier: GPL-2.0
#include "domains.h"

#include "render_domains.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kcr::ctl
{

using ::testing::HasSubstr;
using ::testing::Not;

namespace
{

constexpr std::string_view fixture =
    "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1055\n"
    "kcr-domain:\t3\nkcr-access:\tstore\nkcr-region:\t16777216\n"
    "kcr-entries:\t12\nkcr-blob-bytes:\t4096\nkcr-stored:\t20\n"
    "kcr-equal:\t5\nkcr-refused:\t1\nkcr-evicted:\t2\nkcr-stale:\t3\n"
    "kcr-flushes:\t4\n"
    "kcr-function-0:\tpow reuse 10 1000 20 30 1 100 0 -5000\n"
    "kcr-function-7:\tcrypt_rn learn 2 0 0 0 0 8 0 0\n"
    "kcr-later:\tsomething new\n";

DomainInfo parsed(std::string_view text)
{
    const auto info = parse_fdinfo(text);
    EXPECT_TRUE(info.ok()) << (info.ok() ? "" : info.error().message);
    EXPECT_TRUE(info.ok() && info->has_value());
    return **info;
}

bool never_the_same(const Holder& /*a*/, const Holder& /*b*/)
{
    return false;
}

bool always_the_same(const Holder& /*a*/, const Holder& /*b*/)
{
    return true;
}

} // namespace

TEST(Fdinfo, IsRead)
{
    const auto info = parsed(fixture);
    EXPECT_EQ(info.number, 3U);
    EXPECT_EQ(info.access, "store");
    EXPECT_EQ(info.region, 16777216U);
    EXPECT_EQ(info.entries, 12U);
    EXPECT_EQ(info.blob_bytes, 4096U);
    EXPECT_EQ(info.stored, 20U);
    EXPECT_EQ(info.equal, 5U);
    EXPECT_EQ(info.refused, 1U);
    EXPECT_EQ(info.evicted, 2U);
    EXPECT_EQ(info.stale, 3U);
    EXPECT_EQ(info.flushes, 4U);
    ASSERT_EQ(info.functions.size(), 2U);
    const auto& pow = info.functions[0];
    EXPECT_EQ(pow.number, 0U);
    EXPECT_EQ(pow.name, "pow");
    EXPECT_EQ(pow.state, "reuse");
    EXPECT_EQ(pow.entries, 10U);
    EXPECT_EQ(pow.hits, 1000U);
    EXPECT_EQ(pow.calls(), 1000U + 20 + 30 + 1 + 100);
    EXPECT_EQ(pow.computed(), 20U + 1 + 100);
    EXPECT_EQ(pow.saved, -5000);
    EXPECT_EQ(info.functions[1].number, 7U);
    EXPECT_EQ(info.functions[1].learned, 8U);
}

TEST(Fdinfo, OfOtherFilesIsNothing)
{
    const auto other = parse_fdinfo("pos:\t0\nflags:\t0100000\n");
    ASSERT_TRUE(other.ok());
    EXPECT_FALSE(other->has_value());
}

TEST(Fdinfo, NonsenseIsAnError)
{
    for (const auto* line :
         {"kcr-entries:\tmany\n", "kcr-entries:\t-1\n", "kcr-entries:\t\n",
          "kcr-function-0:\tpow reuse 10\n", "kcr-function-x:\tpow reuse 1 2 3 4 5 6 7 8\n",
          "kcr-function-0:\tpow reuse 1 2 3 4 5 6 7 8.5\n"})
        EXPECT_FALSE(parse_fdinfo(std::string("kcr-domain:\t3\n") + line).ok()) << line;
}

TEST(Domains, DescriptorsAreAddedUp)
{
    std::vector<Domain> domains;
    add_descriptor(domains, parsed(fixture), {.pid = 1, .fd = 5, .command = "a"}, never_the_same);
    add_descriptor(domains, parsed(fixture), {.pid = 2, .fd = 5, .command = "b"}, never_the_same);
    ASSERT_EQ(domains.size(), 1U);
    EXPECT_EQ(domains[0].holders.size(), 2U);
    EXPECT_EQ(domains[0].info.functions[0].hits, 2000U);
    EXPECT_EQ(domains[0].saved(), -10000);
    // What there is of results is the domain's, not each descriptor's
    EXPECT_EQ(domains[0].info.functions[0].entries, 10U);
    EXPECT_EQ(domains[0].info.entries, 12U);
}

TEST(Domains, OneThatIsInheritedCountsOnce)
{
    std::vector<Domain> domains;
    add_descriptor(domains, parsed(fixture), {.pid = 1, .fd = 5}, always_the_same);
    add_descriptor(domains, parsed(fixture), {.pid = 2, .fd = 5}, always_the_same);
    ASSERT_EQ(domains.size(), 1U);
    EXPECT_EQ(domains[0].holders.size(), 2U);
    EXPECT_EQ(domains[0].info.functions[0].hits, 1000U);
}

TEST(Domains, AreFoundThroughProc)
{
    namespace fs = std::filesystem;
    const auto proc = fs::temp_directory_path() / ("kcr-proc-" + std::to_string(::getpid()));
    const auto add = [&](const std::string& pid, const std::string& fd, const std::string& link) {
        fs::create_directories(proc / pid / "fd");
        fs::create_directories(proc / pid / "fdinfo");
        fs::create_symlink(link, proc / pid / "fd" / fd);
        std::ofstream(proc / pid / "fdinfo" / fd) << fixture;
        std::ofstream(proc / pid / "comm") << "server\n";
    };
    add("100", "7", "anon_inode:[kcr-domain]");
    add("100", "8", "/dev/null");
    add("self", "7", "anon_inode:[kcr-domain]");
    const auto domains = find_domains(proc);
    fs::remove_all(proc);
    ASSERT_TRUE(domains.ok());
    ASSERT_EQ(domains->size(), 1U);
    ASSERT_EQ((*domains)[0].holders.size(), 1U);
    EXPECT_EQ((*domains)[0].holders[0].command, "server");
    EXPECT_EQ((*domains)[0].holders[0].pid, 100);
    EXPECT_EQ((*domains)[0].holders[0].fd, 7);
}

TEST(Domains, TextsSayIt)
{
    std::vector<Domain> domains;
    add_descriptor(domains, parsed(fixture),
                   {.pid = 41, .fd = 5, .command = "gnuplot", .access = "lookup"}, never_the_same);
    EXPECT_THAT(render_domains(domains), HasSubstr("gnuplot (41) looks up only"));
    EXPECT_THAT(render_domains(domains), HasSubstr("16,777,216"));
    const auto stats = render_stats(domains);
    EXPECT_THAT(stats, HasSubstr("domain 3"));
    EXPECT_THAT(stats, HasSubstr("-5,000"));
    // What lost comes after what did not
    EXPECT_LT(stats.find("crypt_rn"), stats.find("pow"));
    const auto json = to_json(domains);
    EXPECT_EQ(json[0]["functions"][0]["ticks_saved"], -5000);
    EXPECT_EQ(json[0]["processes"][0]["access"], "lookup");
}

TEST(Top, ShowsWhatHappenedBetween)
{
    std::vector<Domain> earlier;
    std::vector<Domain> later;
    add_descriptor(earlier, parsed(fixture), {}, never_the_same);
    auto info = parsed(fixture);
    info.functions[0].hits += 500;
    info.functions[0].misses += 10;
    info.functions[0].bypassed += 1000;
    info.functions[0].saved += 4000;
    add_descriptor(later, info, {}, never_the_same);
    const auto activities = compare(later, earlier, 2);
    ASSERT_EQ(activities.size(), 2U);
    EXPECT_EQ(activities[0].name, "domain 3 pow");
    EXPECT_DOUBLE_EQ(activities[0].lookups, 255);
    EXPECT_DOUBLE_EQ(activities[0].hits, 250);
    EXPECT_DOUBLE_EQ(activities[0].saved, 2000);
    EXPECT_EQ(activities[0].total, -1000);
}

TEST(Top, SitesComeFromTheirCounters)
{
    const SiteCounters earlier = {
        {"sigverify", {{"lookups", 10}, {"hits_l3", 1}, {"ticks_saved", 5}}}};
    const SiteCounters later = {
        {"sigverify", {{"lookups", 30}, {"hits_l2", 4}, {"hits_l3", 7}, {"ticks_saved", 105}}}};
    const auto activities = compare(later, earlier, {{"sigverify", "reuse"}}, 2);
    ASSERT_EQ(activities.size(), 1U);
    EXPECT_EQ(activities[0].name, "site sigverify");
    EXPECT_EQ(activities[0].state, "reuse");
    EXPECT_DOUBLE_EQ(activities[0].lookups, 10);
    EXPECT_DOUBLE_EQ(activities[0].hits, 5);
    EXPECT_DOUBLE_EQ(activities[0].saved, 50);
    EXPECT_EQ(activities[0].total, 105);
}

TEST(Top, IsSortedAndCut)
{
    const std::vector<Activity> activities = {{.name = "little", .saved = 1},
                                              {.name = "loses", .saved = -9},
                                              {.name = "much", .saved = 1000}};
    const auto all = render_top(activities, 100, 200);
    EXPECT_LT(all.find("much"), all.find("little"));
    EXPECT_LT(all.find("little"), all.find("loses"));
    const auto screen = render_top(activities, 3, 40);
    EXPECT_THAT(screen, HasSubstr("little"));
    EXPECT_THAT(screen, Not(HasSubstr("loses")));
    for (const auto& line : tool::split(screen, '\n'))
        EXPECT_LE(line.size(), 40U);
}

TEST(Device, SaysWhatToDo)
{
    const auto missing = check_device("/nowhere/kcr");
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().hint, HasSubstr("modprobe kcr"));
    EXPECT_TRUE(check_device("/dev/null").ok());
}

} // namespace kcr::ctl
