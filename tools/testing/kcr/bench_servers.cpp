// SPDX-License-Identifier: GPL-2.0
/// @file
/// What asking a server on the same machine costs: redis and memcached, each started for this, on
/// a socket in a directory of its own, and stopped afterwards.
#include "bench.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <hiredis/hiredis.h>
#include <libmemcached/memcached.h>
#include <optional>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace kcr::native
{

namespace
{

namespace fs = std::filesystem;

constexpr int kStartTries = 200;
constexpr auto kStartPause = std::chrono::milliseconds(25);
/// A request is a few thousand times as long as a hit.
constexpr u64 kServerSteps = 64;

/// A program that listens on a socket, until this is gone.
class Server
{
public:
    explicit Server(const std::vector<std::string>& argv_with_socket_last)
    {
        std::string name = fs::temp_directory_path() / "kcr-bench-XXXXXX";
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("no temporary directory");
        folder_ = name;
        auto argv = argv_with_socket_last;
        argv.push_back(socket());
        std::vector<char*> raw;
        raw.reserve(argv.size() + 1);
        for (auto& argument : argv)
            raw.push_back(argument.data());
        raw.push_back(nullptr);
        child_ = fork();
        if (child_ == 0) {
            cpu_set_t all;
            CPU_ZERO(&all);
            for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                CPU_SET(cpu, &all);
            sched_setaffinity(0, sizeof(all), &all); // the bench is pinned: this need not be
            if (freopen("/dev/null", "w", stdout) != nullptr)
                execvp(raw[0], raw.data());
            _exit(127);
        }
    }
    ~Server()
    {
        if (child_ > 0) {
            kill(child_, SIGKILL);
            waitpid(child_, nullptr, 0);
        }
        std::error_code error;
        fs::remove_all(folder_, error);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] std::string socket() const
    {
        return folder_ / "socket";
    }

    /// Waits until @p connect succeeds.
    template <typename Connect> void wait(Connect connect) const
    {
        for (int i = 0; i < kStartTries; i++) {
            if (connect())
                return;
            std::this_thread::sleep_for(kStartPause);
        }
        throw std::runtime_error("a server does not answer on " + socket());
    }

private:
    fs::path folder_;
    pid_t child_ = -1;
};

class Redis
{
public:
    Redis()
        : server_({"redis-server", "--port", "0", "--save", "", "--appendonly", "no", "--daemonize",
                   "no", "--unixsocket"})
    {
        server_.wait([&] {
            if (context_ != nullptr)
                redisFree(context_);
            context_ = redisConnectUnix(server_.socket().c_str());
            return context_ != nullptr && context_->err == 0;
        });
    }
    ~Redis()
    {
        redisFree(context_);
    }
    Redis(const Redis&) = delete;
    Redis& operator=(const Redis&) = delete;

    void put(const void* key, const void* value, std::size_t bytes)
    {
        freeReplyObject(redisCommand(context_, "SET %b %b", key, bytes, value, bytes));
    }
    bool get(const void* key, void* value, std::size_t bytes)
    {
        auto* reply = static_cast<redisReply*>(redisCommand(context_, "GET %b", key, bytes));
        const bool found =
            reply != nullptr && reply->type == REDIS_REPLY_STRING && reply->len == bytes;
        if (found)
            __builtin_memcpy(value, reply->str, bytes);
        freeReplyObject(reply);
        return found;
    }

private:
    Server server_;
    redisContext* context_ = nullptr;
};

/// Its keys are text: hexadecimal digits.
class Memcached
{
public:
    Memcached() : server_({"memcached", "-u", "root", "-t", "1", "-s"})
    {
        const std::string options = "--SOCKET=\"" + server_.socket() + "\" --BINARY-PROTOCOL";
        context_ = memcached(options.c_str(), options.size());
        if (context_ == nullptr)
            throw std::runtime_error("libmemcached does not like its options");
        server_.wait(
            [&] { return memcached_set(context_, "x", 1, "y", 1, 0, 0) == MEMCACHED_SUCCESS; });
    }
    ~Memcached()
    {
        memcached_free(context_);
    }
    Memcached(const Memcached&) = delete;
    Memcached& operator=(const Memcached&) = delete;

    void put(const void* key, const void* value, std::size_t bytes)
    {
        const auto text = text_of(key, bytes);
        memcached_set(context_, text.data(), text.size(), static_cast<const char*>(value), bytes, 0,
                      0);
    }
    bool get(const void* key, void* value, std::size_t bytes)
    {
        const auto text = text_of(key, bytes);
        std::size_t length = 0;
        std::uint32_t flags = 0;
        memcached_return_t error = MEMCACHED_FAILURE;
        char* found = memcached_get(context_, text.data(), text.size(), &length, &flags, &error);
        const bool good = found != nullptr && length == bytes;
        if (good)
            __builtin_memcpy(value, found, bytes);
        std::free(found); // NOLINT(cppcoreguidelines-no-malloc)
        return good;
    }

private:
    static std::string text_of(const void* key, std::size_t bytes)
    {
        constexpr const char* digits = "0123456789abcdef";
        std::string text;
        text.reserve(2 * bytes);
        for (std::size_t i = 0; i < bytes; i++) {
            const auto byte = static_cast<const unsigned char*>(key)[i];
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
        return text;
    }

    Server server_;
    memcached_st* context_ = nullptr;
};

template <typename Peer, unsigned Words>
bool lookup_server(void* peer, kcr_query* q, const u64* key, u64 /*hash*/)
{
    return static_cast<Peer*>(peer)->get(key, q->res, kBytes<Words>);
}

template <typename Peer, unsigned Words>
void add_server(std::vector<Subject>& subjects, const std::string& name,
                const std::shared_ptr<WorkingSet<Words>>& set, const kcr_query& like)
{
    const std::string bytes = std::to_string(kBytes<Words>);
    auto peer = std::make_shared<std::optional<Peer>>();
    auto q = std::make_shared<kcr_query>(like);
    Subject subject;
    subject.name = "peer_" + name + "_" + bytes + "_" + bytes;
    subject.steps = kServerSteps;
    subject.run = [=](u64 steps) {
        if (!*peer) { // only if it is measured
            peer->emplace();
            for (std::size_t i = 0; i < set->keys.size(); i++)
                (*peer)->put(set->keys[i].data(), set->results[i].data(), kBytes<Words>);
        }
        follow<Words>(lookup_server<Peer, Words>, &**peer, *set, *q, steps);
    };
    subjects.push_back(std::move(subject));
}

} // namespace

template <unsigned Words>
void add_servers(std::vector<Subject>& subjects, const std::shared_ptr<WorkingSet<Words>>& set,
                 const kcr_query& like)
{
    add_server<Redis, Words>(subjects, "redis", set, like);
    add_server<Memcached, Words>(subjects, "memcached", set, like);
}

template void add_servers<2>(std::vector<Subject>&, const std::shared_ptr<WorkingSet<2>>&,
                             const kcr_query&);
template void add_servers<8>(std::vector<Subject>&, const std::shared_ptr<WorkingSet<8>>&,
                             const kcr_query&);

} // namespace kcr::native
