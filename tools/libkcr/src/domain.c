// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: domains.
 */
#include "track.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KCR_DEVICE "/dev/kcr"

/* Where there is not even memory for a domain */
static struct kcr_domain kcr_no_domain = { .refs = 1, .fd = -1, .status = -ENOMEM };

unsigned int kcr_version(void)
{
	return KCR_VERSION_MAJOR << 16 | KCR_VERSION_MINOR;
}

/**
 * kcr_domain_ioctl() - ask the kernel
 *
 * Context: any; makes a system call.
 * Return: what ioctl() does, or a negative errno; errno itself stays as it is.
 */
int kcr_domain_ioctl(const struct kcr_domain *domain, unsigned long request, void *arg)
{
	int saved = errno;
	int ret = kcr_system->ioctl(domain->fd, request, arg);

	if (ret < 0)
		ret = -errno;
	errno = saved;
	return ret;
}

static bool kcr_part_valid(uint64_t offset, uint64_t count, uint64_t size, uint64_t align,
			   uint64_t whole)
{
	return offset % align == 0 && offset <= whole && count * size <= whole - offset;
}

/* All that lookups rely on, so that no index leads out of the mapping */
static bool kcr_header_valid(const struct kcr_region_header *h, uint64_t size)
{
	uint64_t buckets = (uint64_t)h->index_mask + 1;

	return h->magic == KCR_REGION_MAGIC && h->abi == KCR_REGION_ABI &&
	       h->header_size >= sizeof(*h) && h->size == size && h->nr_slots &&
	       !(h->nr_slots & (h->nr_slots - 1)) && !(buckets & (buckets - 1)) &&
	       kcr_part_valid(h->functions_offset, h->nr_functions,
			      sizeof(struct kcr_region_function), 8, size) &&
	       kcr_part_valid(h->index_offset, buckets, sizeof(uint16_t), 2, size) &&
	       kcr_part_valid(h->slots_offset, h->nr_slots, sizeof(struct kcr_region_slot), 8,
			      size) &&
	       kcr_part_valid(h->blobs_offset, h->blobs_size, 1, 8, size);
}

static int kcr_map_region(struct kcr_domain *domain, const struct kcr_info *info)
{
	void *at;

	if (info->region_size < sizeof(domain->header) || info->region_size > SIZE_MAX)
		return -EPROTO;
	at = kcr_system->mmap(NULL, info->region_size, PROT_READ, MAP_SHARED, domain->fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	domain->region = at;
	domain->region_size = info->region_size;
	memcpy(&domain->header, at, sizeof(domain->header));
	return kcr_header_valid(&domain->header, info->region_size) ? 0 : -EPROTO;
}

/* Only for the kernel's statistics: without, there are the process's own */
static void kcr_map_counts(struct kcr_domain *domain, const struct kcr_info *info)
{
	const size_t size =
		sizeof(struct kcr_counts) * KCR_COUNTS_FUNCTIONS * KCR_COUNTS_LINES;
	void *at;

	if (info->counts_size < size)
		return;
	at = kcr_system->mmap(NULL, info->counts_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      domain->fd, (off_t)KCR_COUNTS_OFFSET);
	if (at == MAP_FAILED)
		return;
	domain->counts = at;
	domain->counts_size = info->counts_size;
}

static void kcr_unmap(struct kcr_domain *domain)
{
	if (domain->region)
		kcr_system->munmap((void *)domain->region, domain->region_size);
	if (domain->counts)
		kcr_system->munmap(domain->counts, domain->counts_size);
	domain->region = NULL;
	domain->counts = NULL;
}

/* Use the domain that @fd is of; @fd becomes the domain's if 0 is returned */
static int kcr_domain_use(struct kcr_domain *domain, int fd)
{
	struct kcr_info info = { .size = sizeof(info) };
	int err;

	domain->fd = fd;
	err = kcr_domain_ioctl(domain, KCR_IOC_INFO, &info);
	if (!err)
		err = kcr_map_region(domain, &info);
	if (err < 0) {
		kcr_unmap(domain);
		domain->fd = -1;
		return err;
	}
	kcr_map_counts(domain, &info);
	domain->may_store = !!(info.access & KCR_ACCESS_STORE);
	domain->clock_cost = kcr_clock_cost();
	return 0;
}

static struct kcr_domain *kcr_domain_alloc(void)
{
	struct kcr_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return &kcr_no_domain;
	domain->refs = 1;
	domain->fd = -1;
	return domain;
}

static int kcr_domain_open(struct kcr_domain *domain, const struct kcr_domain_options *options)
{
	struct kcr_domain_options o = { 0 };
	struct kcr_create create = { .size = sizeof(create) };
	int device, fd, err;

	if (options)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	create.region_size = o.region_size;
	create.learn_target = o.learn_target;
	create.expiry_ms = o.expiry_ms;
	device = kcr_system->open(o.device ? o.device : KCR_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	fd = kcr_system->ioctl(device, KCR_IOC_CREATE, &create);
	err = fd < 0 ? -errno : 0;
	kcr_system->close(device);
	if (err)
		return err;
	err = kcr_domain_use(domain, fd);
	if (err)
		kcr_system->close(fd);
	return err;
}

struct kcr_domain *kcr_domain_create(const struct kcr_domain_options *options)
{
	int saved = errno;
	struct kcr_domain *domain = kcr_domain_alloc();

	if (domain != &kcr_no_domain)
		domain->status = kcr_domain_open(domain, options);
	errno = saved;
	return domain;
}

struct kcr_domain *kcr_domain_from_fd(int fd)
{
	int saved = errno;
	struct kcr_domain *domain = kcr_domain_alloc();

	if (domain != &kcr_no_domain)
		domain->status = kcr_domain_use(domain, fd);
	errno = saved;
	return domain;
}

/* kcr_domain_get() - one user more */
struct kcr_domain *kcr_domain_get(struct kcr_domain *domain)
{
	if (!domain)
		domain = &kcr_no_domain;
	if (domain != &kcr_no_domain)
		__atomic_fetch_add(&domain->refs, 1, __ATOMIC_RELAXED);
	return domain;
}

/* kcr_domain_put() - one user less; the last one lets go of all */
void kcr_domain_put(struct kcr_domain *domain)
{
	int saved = errno;

	if (!domain || domain == &kcr_no_domain ||
	    __atomic_sub_fetch(&domain->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	kcr_watch_put(domain->watch, load_relaxed(&domain->quiet));
	if (!load_relaxed(&domain->quiet)) {
		kcr_unmap(domain);
		if (domain->fd >= 0)
			kcr_system->close(domain->fd);
	}
	free(domain);
	errno = saved;
}

void kcr_domain_destroy(struct kcr_domain *domain)
{
	kcr_domain_put(domain);
}

int kcr_domain_status(const struct kcr_domain *domain, const char **text)
{
	int status = domain ? domain->status : -EBADF;

	if (text)
		*text = kcr_status_text(status);
	return status;
}

int kcr_domain_fd(const struct kcr_domain *domain)
{
	return domain && domain->fd >= 0 ? domain->fd : -EBADF;
}

/* What is asked of the kernel explicitly, by the program itself */
static int kcr_domain_ask(const struct kcr_domain *domain, unsigned long request, void *arg)
{
	if (!domain || domain->fd < 0)
		return -EBADF;
	if (load_relaxed(&domain->quiet))
		return -EPERM;
	return kcr_domain_ioctl(domain, request, arg);
}

int kcr_domain_share(struct kcr_domain *domain, enum kcr_sharing sharing)
{
	struct kcr_share_fd share = {
		.size = sizeof(share),
		.flags = sharing == KCR_SHARE_ALL ? KCR_SHARE_STORE : 0,
	};

	return kcr_domain_ask(domain, KCR_IOC_SHARE, &share);
}

int kcr_domain_flush(struct kcr_domain *domain)
{
	struct kcr_flush flush = {
		.size = sizeof(flush),
		.function = KCR_ALL_FUNCTIONS,
	};

	return kcr_domain_ask(domain, KCR_IOC_FLUSH, &flush);
}

void kcr_stop_storing(struct kcr_domain *domain)
{
	if (domain && domain != &kcr_no_domain)
		store_relaxed(&domain->quiet, 1);
}

int kcr_domain_get_stats(struct kcr_domain *domain, struct kcr_domain_stats *stats)
{
	struct kcr_info info = { .size = sizeof(info) };
	size_t size = stats->size;
	int err;

	if (size < sizeof(*stats))
		return -EINVAL;
	err = kcr_domain_ask(domain, KCR_IOC_INFO, &info);
	if (err < 0)
		return err;
	*stats = (struct kcr_domain_stats){
		.size = size,
		.domain = info.domain,
		.region_size = info.region_size,
		.entries = info.entries,
		.blob_bytes = info.blob_bytes,
		.stored = info.stored,
		.equal = info.equal,
		.refused = info.refused,
		.evicted = info.evicted,
		.stale = info.stale,
		.flushes = info.flushes,
		.rejected = info.rejected,
		.functions = info.functions,
		.may_store = !!(info.access & KCR_ACCESS_STORE),
	};
	return 0;
}
