// SPDX-License-Identifier: GPL-2.0
/*
 * Torture: requests from threads and interrupts on all CPUs while owners are
 * invalidated, CPUs come and go, modes change and memory is short. The kernel
 * makes the requests (CONFIG_KCR_TORTURE_TEST); what happens around them is
 * arranged here. Also: sites that are caught giving different results.
 */
#include <array>

#include <atomic>
#include <thread>

#include "data.hpp"
#include "stats.hpp"

namespace
{

using tap::Check;

constexpr const char* torture_path = "/sys/kernel/debug/kcr/torture";
constexpr const char* config_path = "/sys/kernel/debug/kcr/config";
constexpr const char* site = "torture";

/* How many requests a case makes; KCR_TORTURE_REQUESTS says otherwise. */
uint64_t requests_per_case()
{
    const char* text = getenv("KCR_TORTURE_REQUESTS");
    return text ? strtoull(text, nullptr, 0) : 40000;
}

/* "<name> <value>" lines; lines without a number are left out. */
std::map<std::string, int64_t> read_values(const std::string& path)
{
    std::istringstream text(kcr::read_file(path));
    std::map<std::string, int64_t> values;
    std::string line;

    while (std::getline(text, line)) {
        std::istringstream words(line);
        std::string name;
        int64_t value = 0;
        if (words >> name >> value)
            values[name] = value;
    }
    return values;
}

std::string site_file(const char* name)
{
    return std::string("/sys/kernel/kcr/sites/") + site + "/" + name;
}

/* Runs the kernel's torture, and @p disturb over and over until it is done. */
void torture(Check& check, const std::function<void(unsigned round)>& disturb)
{
    const uint64_t requests = requests_per_case();
    std::atomic<bool> done = false;
    std::jthread disturber([&] {
        for (unsigned round = 0; !done; round++) {
            if (disturb)
                disturb(round);
            usleep(20000);
        }
    });

    int err = 0;
    /* It is refused while kcr_enable is 0, which the disturber may have arranged */
    for (int tries = 0; tries < 200; tries++) {
        err = kcr::try_write_file(torture_path, std::to_string(requests));
        if (err != EOPNOTSUPP)
            break;
        usleep(10000);
    }
    done = true;
    disturber.join();
    if (err)
        afalg::fail(torture_path, err);
    auto result = read_values(torture_path);
    check.note(std::to_string(result["hits"]) + " hits, " + std::to_string(result["irq_requests"]) +
               " requests from interrupts, " + std::to_string(result["renewals"]) + " renewals");
    check.that(result["wrong"] == 0, std::to_string(result["wrong"]) + " wrong results");
    check.that(result["requests"] == static_cast<int64_t>(requests),
               std::to_string(result["requests"]) + " requests made");
    check.that(result["hits"] > 0, "no hits");
    check.that(result["irq_requests"] > 0, "no requests from interrupts");
    check.that(result["renewals"] > 0, "no renewals");
}

void test_requests(Check& check)
{
    torture(check, nullptr);
}

std::string cpu_switch(unsigned cpu)
{
    return "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/online";
}

void test_hotplug(Check& check)
{
    const auto last = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN)) - 1;
    unsigned cycles = 0;

    if (last == 0 || access(cpu_switch(last).c_str(), W_OK) != 0)
        throw tap::Skip("no CPU that can be switched off");
    /* A fast machine is done before the CPU has come and gone */
    for (int run = 0; run < 50 && cycles < 3; run++) {
        torture(check, [&](unsigned round) {
            kcr::write_file(cpu_switch(last), round % 2 ? "1" : "0");
            cycles += round % 2;
        });
    }
    check.that(cycles >= 3, "no time for it");
    check.note(std::to_string(cycles) + " times off and on");
    kcr::write_file(cpu_switch(last), "1");
    kcr::pin_to_cpu(last);
    torture(check, nullptr);
    const std::string used = "cpu" + std::to_string(last) + "_l2_used";
    check.that(read_values(config_path)[used] > 0, "nothing in the CPU's tier before");
    kcr::pin_to_cpu(0);
    kcr::write_file(cpu_switch(last), "0");
    check.that(read_values(config_path)[used] == 0, "a dead CPU's tier is not empty");
    kcr::write_file(cpu_switch(last), "1");
}

void test_modes(Check& check)
{
    const std::array<const char*, 6> modes = {"reuse", "off", "reuse", "observe", "reuse", "learn"};

    torture(check, [&](unsigned round) {
        kcr::write_file(kcr::mode_path(site), modes[round % modes.size()]);
        if (round % 4 == 3)
            kcr::write_file(kcr::enable_path, round % 8 == 3 ? "0" : "1");
    });
    kcr::write_file(kcr::enable_path, "1");
    kcr::write_file(kcr::mode_path(site), "reuse");
    check.that(kcr::Counters::read(site)["observe_differ"] == 0, "equal requests, other results");
    check.that(kcr::Counters::read(site)["mismatches"] == 0, "rejected for nothing");
}

void test_expiry(Check& check)
{
    const kcr::Watch watch(site);

    kcr::write_file(site_file("expiry_ms"), "20");
    torture(check, nullptr);
    kcr::write_file(site_file("expiry_ms"), "0");
    check.that(watch["miss_expired"] > 0, "nothing expired");
}

int64_t sum_of(const std::string& suffix)
{
    int64_t sum = 0;
    for (const auto& [name, value] : read_values(config_path)) {
        if (name.ends_with(suffix))
            sum += value;
    }
    return sum;
}

void test_shrinker(Check& check)
{
    torture(check, [](unsigned) { kcr::write_file("/proc/sys/vm/drop_caches", "2"); });
    torture(check, nullptr);
    const int64_t before = sum_of("_blobs");
    check.that(before > 10, std::to_string(before) + " large entries before");
    /* What was read is spared the first time */
    for (int i = 0; i < 5; i++)
        kcr::write_file("/proc/sys/vm/drop_caches", "2");
    check.that(sum_of("_blobs") < before / 2, std::to_string(sum_of("_blobs")) +
                                                  " large entries of " + std::to_string(before) +
                                                  " left");
    const auto config = read_values(config_path);
    for (const auto& [name, value] : config) {
        if (name.ends_with("_blob_bytes"))
            check.that(value >= 0 && value <= config.at("blob_budget"), name + " out of bounds");
    }
}

void test_flush(Check& check)
{
    torture(check, nullptr);
    check.that(sum_of("_l3_used") > 0, "nothing remembered");
    kcr::write_file(kcr::mode_path(site), "off");
    check.that(sum_of("_l2_used") + sum_of("_l3_used") == 0, "something is left after a flush");
    kcr::write_file(kcr::mode_path(site), "reuse");
}

/* Memory-only nodes have no CPU that could look there. */
void test_bare_nodes(Check& check)
{
    const auto config = read_values(config_path);
    unsigned bare = 0;

    for (unsigned node = 0; node < 64; node++) {
        const std::string name = "node" + std::to_string(node);
        const std::string path = "/sys/devices/system/node/" + name + "/cpulist";
        if (access(path.c_str(), R_OK) != 0)
            continue;
        const bool has_cpus = !kcr::read_file(path).empty();
        bare += !has_cpus;
        check.that(config.contains(name + "_l3_used") == has_cpus,
                   name + (has_cpus ? " has CPUs and no tier" : " has a tier and no CPU"));
    }
    if (bare == 0)
        throw tap::Skip("every node has CPUs");
}

/* What the kernel logs while @p action runs. */
std::string log_of(const std::function<void()>& action)
{
    const afalg::Fd log(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    std::string text;
    char record[8192];

    if (log.get() < 0)
        afalg::fail("/dev/kmsg");
    lseek(log.get(), 0, SEEK_END);
    action();
    for (;;) {
        const ssize_t got = read(log.get(), record, sizeof(record));
        if (got < 0 && errno == EPIPE)
            continue;
        if (got <= 0)
            break;
        text.append(record, static_cast<size_t>(got));
    }
    return text;
}

void test_impure(Check& check, const std::string& mode, int64_t served_at_most)
{
    kcr::write_file(kcr::mode_path(site), "reuse");
    kcr::write_file(kcr::stats_path, "0");
    const std::string log = log_of([&] { kcr::write_file(torture_path, "impure " + mode); });

    check.that(kcr::read_file(kcr::mode_path(site)) == "rejected", "not rejected");
    check.that(log.find("kcr: site torture rejected in " + mode + " mode") != std::string::npos,
               "the log does not say so: " + log);
    check.that(log.find("64 bytes of input, results differ from byte 0 on") != std::string::npos,
               "the log does not say what diverged: " + log);
    const auto served = read_values(torture_path)["hits"];
    check.note(std::to_string(served) + " requests were answered from memory before");
    check.that(served <= served_at_most, "more than " + std::to_string(served_at_most));
    check.that(kcr::Counters::read(site)["mismatches"] == 1, "counted other than once");
    check.that(read_values(config_path)["torture_gate_open"] == 0, "the gate is still open");
    check.that(kcr::try_write_file(kcr::mode_path(site), "rejected") == EINVAL,
               "an administrator can reject");
    kcr::write_file(kcr::mode_path(site), "reuse");
    torture(check, nullptr);
}

void test_impure_reuse(Check& check)
{
    const int64_t interval = std::stoll(kcr::read_file(site_file("audit_interval")));

    check.that(interval == 1024, "audits are not one in 1024");
    /* An audit is due with the first request that is sampled after so many */
    test_impure(check, "reuse", interval + 31);
    kcr::write_file(site_file("audit_interval"), "50");
    test_impure(check, "reuse", 50 + 31);
    kcr::write_file(site_file("audit_interval"), "1024");
}

void test_impure_learn(Check& check)
{
    test_impure(check, "learn", 0);
}

void test_learns(Check& check)
{
    check.that(kcr::read_file(site_file("learn_target")) == "100", "not 100 by default");
    kcr::write_file(kcr::mode_path(site), "learn");
    torture(check, nullptr);
    check.that(kcr::read_file(kcr::mode_path(site)) == "reuse", "has not learned");
}

void test_bad_values(Check& check)
{
    for (const char* bad : {"-1", "x", "4294967296", "2147483648"})
        check.that(kcr::try_write_file(site_file("audit_interval"), bad) != 0,
                   std::string("audit_interval=") + bad);
    for (const char* bad : {"0", "-1", "x"})
        check.that(kcr::try_write_file(site_file("learn_target"), bad) != 0,
                   std::string("learn_target=") + bad);
    check.that(kcr::try_write_file(site_file("bypass"), "sometimes") == EINVAL, "bypass=sometimes");
    check.that(kcr::try_write_file(torture_path, "x") == EINVAL, "torture x");
    check.that(kcr::try_write_file(torture_path, "impure off") == EINVAL, "impure off");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"threads and interrupts", test_requests},
        {"CPUs that come and go", test_hotplug},
        {"modes that change", test_modes},
        {"expiry", test_expiry},
        {"memory pressure", test_shrinker},
        {"flush", test_flush},
        {"nodes without CPUs", test_bare_nodes},
        {"impure site in reuse mode", test_impure_reuse},
        {"impure site in learn mode", test_impure_learn},
        {"learning", test_learns},
        {"bad values", test_bad_values},
    };

    return tap::run_cases(cases, [] {
        kcr::require_kcr();
        if (access(torture_path, F_OK) != 0)
            throw tap::Skip("this kernel was built without CONFIG_KCR_TORTURE_TEST");
        kcr::pin_to_cpu(0);
    });
}
