// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include "emul.h"
#include "emul_track.h"

#include "shim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "domain.h"

#include <uapi/linux/kcr_track.h>

#define MAX_FDS 1024
/* Before what kcr_emul_alloc() returns */
#define ALLOC_HEADER 64

/* A domain, in memory that children share; the memfd is that of its region */
struct emul_domain {
	struct kcr_domain domain;
	void *base;
	size_t size;
	int memfd;
	int descriptors;
};

struct emul_descriptor {
	bool device;
	u32 access;
	struct emul_domain *domain;
	struct emul_tracker *tracker;
	struct emul_gate *gate;
	int counts;
};

static struct emul_descriptor *descriptors[MAX_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long calls;
static u64 fixed_clock;
static bool disabled;
static unsigned long fail_request = ~0UL;
static int fail_error;

void mutex_init(struct mutex *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&mutex->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

void *kcr_emul_alloc(size_t size)
{
	size_t *p = mmap(NULL, size + ALLOC_HEADER, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	*p = size + ALLOC_HEADER;
	return (char *)p + ALLOC_HEADER;
}

void kcr_emul_free(void *p)
{
	size_t *start;

	if (!p)
		return;
	start = (size_t *)((char *)p - ALLOC_HEADER);
	munmap(start, *start);
}

void get_random_bytes(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

u64 xxh64(const void *data, size_t len, u64 seed)
{
	return XXH64(data, len, seed);
}

int copy_struct_from_user(void *to, size_t size, const void *from, size_t their_size)
{
	const char *rest = from;

	for (size_t i = size; i < their_size; i++) {
		if (rest[i])
			return -E2BIG;
	}
	memcpy(to, from, size);
	return 0;
}

bool kcr_is_enabled(void)
{
	return !READ_ONCE(disabled);
}

u64 kcr_domain_clock(void)
{
	struct timespec now;
	u64 fixed = READ_ONCE(fixed_clock);

	if (fixed)
		return fixed;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct emul_descriptor *get(int fd)
{
	struct emul_descriptor *d = NULL;

	if (fd >= 0 && fd < MAX_FDS) {
		pthread_mutex_lock(&lock);
		d = descriptors[fd];
		pthread_mutex_unlock(&lock);
	}
	return d;
}

/* A descriptor with a number of its own; takes over a reference to the domain */
static int put(struct emul_domain *domain, u32 access)
{
	struct emul_descriptor *d = calloc(1, sizeof(*d));
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!d || fd < 0 || fd >= MAX_FDS) {
		free(d);
		if (fd >= 0)
			close(fd);
		return fail(EMFILE);
	}
	d->device = !domain;
	d->domain = domain;
	d->access = access;
	d->counts = -1;
	pthread_mutex_lock(&lock);
	descriptors[fd] = d;
	pthread_mutex_unlock(&lock);
	return fd;
}

static bool told_to_fail(unsigned long request)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	if (READ_ONCE(fail_request) != request || !READ_ONCE(fail_error))
		return false;
	errno = READ_ONCE(fail_error);
	return true;
}

int kcr_emul_open(const char *path, int flags)
{
	(void)path;
	(void)flags;
	return told_to_fail(0) ? -1 : put(NULL, 0);
}

static void domain_free(struct emul_domain *domain)
{
	kcr_domain_destroy(&domain->domain);
	munmap(domain->base, domain->size);
	close(domain->memfd);
	kcr_emul_free(domain);
}

static int create(const void *arg)
{
	static u64 last_domain;
	struct kcr_create c;
	struct emul_domain *domain;
	int err = kcr_copy_arg(&c, sizeof(c), arg);

	err = err ?: kcr_check_create(&c);
	if (err)
		return fail(-err);
	if (!kcr_is_enabled())
		return fail(EOPNOTSUPP);
	domain = kcr_emul_alloc(sizeof(*domain));
	if (!domain)
		return fail(ENOMEM);
	domain->size = c.region_size ?: 16U << 20;
	domain->memfd = memfd_create("kcr-region", MFD_CLOEXEC);
	domain->base = MAP_FAILED;
	if (domain->memfd >= 0 && !ftruncate(domain->memfd, (off_t)domain->size))
		domain->base = mmap(NULL, domain->size, PROT_READ | PROT_WRITE, MAP_SHARED,
				    domain->memfd, 0);
	if (domain->base == MAP_FAILED ||
	    kcr_domain_init(&domain->domain, domain->base, domain->size, &c)) {
		close(domain->memfd);
		kcr_emul_free(domain);
		return fail(ENOMEM);
	}
	domain->domain.stats.domain = __atomic_add_fetch(&last_domain, 1, __ATOMIC_RELAXED);
	domain->descriptors = 1;
	return put(domain, KCR_ACCESS_STORE);
}

static int share(struct emul_descriptor *d, const void *arg)
{
	struct kcr_share_fd s;
	int err;

	if (!(d->access & KCR_ACCESS_STORE))
		return fail(EACCES);
	err = kcr_copy_arg(&s, sizeof(s), arg);
	if (err || s.flags & ~KCR_SHARE_STORE)
		return fail(err ? -err : EINVAL);
	__atomic_add_fetch(&d->domain->descriptors, 1, __ATOMIC_RELAXED);
	return put(d->domain, s.flags & KCR_SHARE_STORE ? KCR_ACCESS_STORE : 0);
}

static int open_tracker(struct emul_descriptor *d)
{
	int fd;

	if (!(d->access & KCR_ACCESS_STORE))
		return fail(EACCES);
	__atomic_add_fetch(&d->domain->descriptors, 1, __ATOMIC_RELAXED);
	fd = put(d->domain, 0);
	if (fd >= 0)
		get(fd)->tracker = emul_tracker_create(&d->domain->domain);
	return fd;
}

static int open_gate(struct emul_descriptor *d)
{
	int fd;

	if (!(d->access & KCR_ACCESS_STORE))
		return fail(EACCES);
	__atomic_add_fetch(&d->domain->descriptors, 1, __ATOMIC_RELAXED);
	fd = put(d->domain, 0);
	if (fd >= 0)
		get(fd)->gate = emul_gate_create(d->domain->base);
	return fd;
}

int kcr_emul_ioctl(int fd, unsigned long request, void *arg)
{
	struct emul_descriptor *d = get(fd);
	long ret;

	if (told_to_fail(request))
		return -1;
	if (!d)
		return fail(fcntl(fd, F_GETFD) < 0 ? EBADF : ENOTTY);
	if (d->device)
		return request == KCR_IOC_CREATE ? create(arg) : fail(ENOTTY);
	if (request == KCR_IOC_SHARE)
		return share(d, arg);
	if (request == KCR_IOC_TRACKER)
		return open_tracker(d);
	if (request == KCR_IOC_GATE)
		return open_gate(d);
	if (d->tracker)
		ret = emul_tracker_ioctl(d->tracker, request, arg);
	else if (d->gate)
		ret = emul_gate_ioctl(d->gate, request, arg);
	else
		ret = kcr_domain_ioctl(&d->domain->domain, d->access, request, arg);
	if (ret == -ENOIOCTLCMD)
		ret = -ENOTTY;
	return ret < 0 ? fail((int)-ret) : (int)ret;
}

void *kcr_emul_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct emul_descriptor *d = get(fd);

	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	if (d && d->tracker && !offset)
		return emul_tracker_mmap(d->tracker, length, prot);
	if (d && d->gate && !offset)
		return emul_gate_mmap(d->gate, length, prot);
	if (!d || d->device || d->tracker || d->gate || !(flags & MAP_SHARED) || prot & PROT_EXEC ||
	    (offset && offset != (off_t)KCR_COUNTS_OFFSET) ||
	    length != (offset ? KCR_COUNTS_SIZE : d->domain->size)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	if (!offset) {
		if (prot & PROT_WRITE) {
			errno = EPERM;
			return MAP_FAILED;
		}
		return mmap(addr, length, prot, flags, d->domain->memfd, 0);
	}
	pthread_mutex_lock(&lock);
	if (d->counts < 0) {
		d->counts = memfd_create("kcr-counts", MFD_CLOEXEC);
		if (d->counts >= 0 && ftruncate(d->counts, KCR_COUNTS_SIZE)) {
			close(d->counts);
			d->counts = -1;
		}
	}
	pthread_mutex_unlock(&lock);
	return mmap(addr, length, prot, flags, d->counts, 0);
}

int kcr_emul_munmap(void *addr, size_t length)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return munmap(addr, length);
}

int kcr_emul_close(int fd)
{
	struct emul_descriptor *d = get(fd);

	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	if (!d)
		return close(fd);
	pthread_mutex_lock(&lock);
	descriptors[fd] = NULL;
	pthread_mutex_unlock(&lock);
	close(fd);
	if (d->tracker)
		emul_tracker_free(d->tracker);
	if (!d->device && !__atomic_sub_fetch(&d->domain->descriptors, 1, __ATOMIC_ACQ_REL)) {
		kcr_domain_kill(&d->domain->domain);
		domain_free(d->domain);
	}
	if (d->counts >= 0)
		close(d->counts);
	free(d);
	return 0;
}

void kcr_emul_fail(unsigned long request, int error)
{
	WRITE_ONCE(fail_request, request);
	WRITE_ONCE(fail_error, error);
}

unsigned long kcr_emul_calls(void)
{
	return READ_ONCE(calls);
}

void kcr_emul_set_clock(uint64_t ms)
{
	WRITE_ONCE(fixed_clock, ms);
}

void kcr_emul_set_enabled(bool enabled)
{
	WRITE_ONCE(disabled, !enabled);
}
