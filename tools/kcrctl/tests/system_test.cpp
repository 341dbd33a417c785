// SPDX-License-Identifier: GPL-2.0
#include "catalogue.h"
#include "cost.h"
#include "load.h"
#include "sites.h"
#include "symbols.h"
#include "tempdir.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::HasSubstr;

TEST(Catalogue, TheOneThatComesWithTheToolIsGood)
{
    const auto catalogue = Catalogue::builtin();
    EXPECT_TRUE(catalogue.args("public_key_verify_signature"));
    EXPECT_TRUE(catalogue.args("sha256_avx2_digest"));
    EXPECT_FALSE(catalogue.args("sha256_update"));
    EXPECT_TRUE(catalogue.denied("bpf_map_lookup_elem"));
    EXPECT_FALSE(catalogue.denied("bpf_prog_create_from_user"));
    EXPECT_TRUE(catalogue.has_effect("vfs_read"));
    EXPECT_FALSE(catalogue.has_effect("csum_partial"));
}

TEST(Catalogue, NewLinesComeBeforeOldOnes)
{
    auto catalogue = Catalogue::builtin();
    ASSERT_TRUE(catalogue.add("profile sha256 : -, -, -"));
    EXPECT_EQ(catalogue.args("sha256"), "-, -, -");
}

TEST(Catalogue, InputsCanBeForgotten)
{
    auto catalogue = Catalogue::builtin();
    catalogue.forget_inputs();
    EXPECT_FALSE(catalogue.args("public_key_verify_signature"));
    EXPECT_TRUE(catalogue.denied("bpf_map_lookup_elem"));
}

TEST(Catalogue, ErrorsNameTheLine)
{
    Catalogue catalogue;
    EXPECT_THAT(catalogue.add("# fine\n\nprofile f").error().message, HasSubstr("line 3"));
    EXPECT_THAT(catalogue.add("forbid f").error().message, HasSubstr("unknown word 'forbid'"));
    EXPECT_FALSE(catalogue.add("deny f").ok());
    EXPECT_FALSE(catalogue.add("allow f : because").ok());
}

TEST(Symbols, AddressesBelongToFunctions)
{
    const auto symbols = Symbols::parse("ffffffff81000100 T second\nffffffff81000000 t first\n"
                                        "ffffffff81000200 D data\n",
                                        "first [module]\n", "0xffffffff81000100-0xff00 second\n");
    EXPECT_EQ(symbols.at(0xffffffff81000000), "first");
    EXPECT_EQ(symbols.at(0xffffffff810000ff), "first");
    EXPECT_EQ(symbols.at(0xffffffff81000150), "second");
    EXPECT_EQ(symbols.at(0xffffffff80000000), "");
    EXPECT_EQ(symbols.at(0x401000), "");
    EXPECT_TRUE(symbols.traceable("first"));
    EXPECT_FALSE(symbols.traceable("second"));
    EXPECT_TRUE(symbols.forbidden("second"));
    EXPECT_FALSE(symbols.exists("data"));
}

TEST(Sites, StatsAreParsedAndSubtracted)
{
    const auto before = parse_stats("hash lookups 10\nhash ticks_saved -5\n");
    const auto after = parse_stats("hash lookups 110\nhash observe_equal 90\n"
                                   "hash ticks_saved 95\nhash sampled_computes 4\n"
                                   "hash compute_ticks 400\nskcipher lookups 3\n");
    ASSERT_TRUE(before.ok() && after.ok());
    const auto reports =
        report_sites(difference(*after, *before), {{"hash", "observe"}, {"skcipher", "off"}});
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports[0].name, "hash");
    EXPECT_EQ(reports[0].mode, "observe");
    EXPECT_EQ(reports[0].lookups, 100);
    EXPECT_EQ(reports[0].repeats, 90);
    EXPECT_EQ(reports[0].saved_ticks, 100);
    EXPECT_DOUBLE_EQ(reports[0].mean_ticks, 100);
    EXPECT_EQ(reports[1].lookups, 3);
    EXPECT_FALSE(parse_stats("hash lookups\n").ok());
    EXPECT_FALSE(parse_stats("hash lookups many\n").ok());
}

TEST(Sites, ModesComeBack)
{
    const auto dir = tool::TempDir::make(std::filesystem::temp_directory_path());
    ASSERT_TRUE(dir.ok());
    const auto set = [&](const std::string& site, const std::string& mode) {
        std::filesystem::create_directories(dir->path() / site);
        ASSERT_TRUE(tool::write_file_atomic(dir->path() / site / "mode", mode));
    };
    set("hash", "reuse\n\n\n");
    set("other", "off");
    const SiteFiles files(dir->path(), dir->path());
    {
        ObserveAll observe(files);
        ASSERT_TRUE(observe.begin());
        EXPECT_EQ(files.modes()->at("hash").substr(0, 7), "observe");
        EXPECT_EQ(files.modes()->at("other"), "off");
    }
    EXPECT_EQ(files.modes()->at("hash").substr(0, 5), "reuse");
}

TEST(Cost, IsMeasuredOrGiven)
{
    const auto measured = measure_cost();
    EXPECT_GT(measured.fixed_ns, 0);
    EXPECT_GE(measured.per_byte_ns, 0);
    EXPECT_DOUBLE_EQ(parse_cost("150")->fixed_ns, 150);
    EXPECT_DOUBLE_EQ(parse_cost("150,0.5")->per_byte_ns, 0.5);
    for (const char* bad : {"", "x", "1,x", "-1", "1,2,3"})
        EXPECT_FALSE(parse_cost(bad).ok()) << bad;
}

TEST(Load, SaysHowTheCommandEnded)
{
    unsigned calls = 0;
    const auto good = run_load({{"sh", "-c", "exit 3"}}, [&] { ++calls; });
    ASSERT_TRUE(good.ok());
    EXPECT_EQ(good->status, 3);
    EXPECT_FALSE(good->cut_short);
    EXPECT_GE(calls, 1U);
    const auto missing = run_load({{"/nonexistent/program"}}, [] {});
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/program"));
}

TEST(Load, EndsWhatTakesTooLong)
{
    const auto outcome =
        run_load({.command = {"sleep", "100"}, .seconds = 0.1, .limited = true}, [] {});
    ASSERT_TRUE(outcome.ok());
    EXPECT_TRUE(outcome->cut_short);
    EXPECT_EQ(outcome->status, 128 + 15);
}

} // namespace kcr::ctl
