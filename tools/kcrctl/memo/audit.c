// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr-audit.so: the dynamic linker asks it about each symbol that it binds, rtld-audit(7).
 *
 * What was described is bound to a thunk in libkcr-memo.so, which is an ordinary library of the
 * program's. Calls go there straight: nothing is called here but while binding.
 *
 * It is linked with nothing, not even a C library: an audit library has a name space of its own,
 * and would bring another one into every program.
 */
#define _GNU_SOURCE
#include "describe.h"
#include "slots.h"

#include <elf.h>
#include <link.h>

#define MEMO_LIBRARY	"libkcr-memo.so"
/* In an object's cookie, which has a bit for each function otherwise */
#define IS_LIBC		(1ULL << 63)

_Static_assert(KCR_MEMO_FUNCTIONS < 63, "cookies");

static struct kcr_memo_function functions[KCR_MEMO_FUNCTIONS];
static uint32_t nr_functions;

static struct kcr_memo_slot *slots;
static struct kcr_memo_hooks *hooks;
static char *thunks;

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++) {
		if (*path == '/')
			name = path + 1;
	}
	return name;
}

static void read_description(const char *description)
{
	struct kcr_memo_text text = { description, 0 };
	uint32_t filters;
	int fd;

	if (kcr_memo_read_head(&text, &fd, &filters))
		return;
	while (*text.at && nr_functions < KCR_MEMO_FUNCTIONS &&
	       !kcr_memo_read_function(&text, &functions[nr_functions]))
		nr_functions++;
}

/* The dynamic linker gives constructors what it gives main(). */
__attribute__((constructor)) static void begin(int argc, char **argv, char **environment)
{
	static const char name[] = KCR_MEMO_ENV "=";

	(void)argc;
	(void)argv;
	for (; environment && *environment; environment++) {
		size_t i = 0;

		while (name[i] && (*environment)[i] == name[i])
			i++;
		if (!name[i])
			read_description(*environment + i);
	}
}

unsigned int la_version(unsigned int version)
{
	return nr_functions && version >= LAV_CURRENT ? LAV_CURRENT : 0;
}

/* What the dynamic section says of @tag, as an address; it may be relocated already. */
static const char *dynamic(const struct link_map *map, Elf64_Sxword tag)
{
	for (const Elf64_Dyn *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag != tag)
			continue;
		if (entry->d_un.d_ptr < map->l_addr)
			return (const char *)(map->l_addr + entry->d_un.d_ptr);
		return (const char *)entry->d_un.d_ptr;
	}
	return NULL;
}

static const char *soname(const struct link_map *map)
{
	const char *strings = dynamic(map, DT_STRTAB);

	for (const Elf64_Dyn *entry = map->l_ld; strings && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SONAME)
			return strings + entry->d_un.d_val;
	}
	return "";
}

/* libkcr-memo.so has one symbol that is of interest, and a table of the old kind for it. */
static void find_interface(const struct link_map *map)
{
	const uint32_t *hash = (const uint32_t *)dynamic(map, DT_HASH);
	const Elf64_Sym *symbols = (const Elf64_Sym *)dynamic(map, DT_SYMTAB);
	const char *strings = dynamic(map, DT_STRTAB);

	if (!hash || !symbols || !strings)
		return;
	for (uint32_t i = 0; i < hash[1]; i++) {
		const struct kcr_memo_interface *interface;
		char *at;

		if (!symbols[i].st_shndx ||
		    !equal(strings + symbols[i].st_name, "kcr_memo_interface"))
			continue;
		at = (char *)(map->l_addr + symbols[i].st_value);
		interface = (const struct kcr_memo_interface *)at;
		slots = (struct kcr_memo_slot *)(at + interface->slots);
		hooks = (struct kcr_memo_hooks *)(at + interface->hooks);
		thunks = at + interface->thunks;
	}
}

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	const char *name = base_name(map->l_name);
	const char *own_name = base_name(soname(map));
	uint64_t mask = 0;

	*cookie = 0;
	if (space != LM_ID_BASE)
		return 0;
	if (equal(name, MEMO_LIBRARY)) {
		find_interface(map);
		return 0;
	}
	for (uint32_t i = 0; i < nr_functions; i++) {
		if (equal(name, functions[i].library) || equal(own_name, functions[i].library))
			mask |= 1ULL << i;
	}
	if (equal(own_name, "libc.so.6"))
		mask |= IS_LIBC;
	*cookie = mask;
	return LA_FLG_BINDFROM | (mask ? LA_FLG_BINDTO : 0);
}

/* The thunk of a slot. */
static uintptr_t thunk(uint32_t slot)
{
	return (uintptr_t)(thunks + slot * KCR_MEMO_THUNK_SIZE);
}

/* The slot of function number @function at @real, or that many as there are. */
static uint32_t find_slot(uint32_t function, uintptr_t real)
{
	uint64_t claim = (uint64_t)real | (uint64_t)(function + 1) << 48;

	if (real >> 48)
		return KCR_MEMO_SLOTS;
	for (uint32_t i = 0; i < KCR_MEMO_SLOTS; i++) {
		struct kcr_memo_slot *slot = &slots[i];
		uint64_t found = 0;

		if (__atomic_compare_exchange_n(&slot->claim, &found, claim, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			void (*bound)(uint32_t);

			slot->function = function;
			__atomic_store_n(&slot->real, (void *)real, __ATOMIC_RELEASE);
			/* Pairs with begin() in setup.c */
			__atomic_store_n(&slot->state, KCR_MEMO_BOUND, __ATOMIC_SEQ_CST);
			bound = __atomic_load_n(&hooks->bound, __ATOMIC_SEQ_CST);
			if (bound)
				bound(i);
			return i;
		}
		if (found != claim)
			continue;
		/* The one who claimed it writes the same */
		__atomic_store_n(&slot->real, (void *)real, __ATOMIC_RELEASE);
		return i;
	}
	return KCR_MEMO_SLOTS;
}

/* prctl() and syscall() are watched, for those who lock themselves into a sandbox. */
static uintptr_t door(const char *name, uintptr_t real)
{
	uint32_t slot;

	if (equal(name, "prctl"))
		slot = KCR_MEMO_SLOT_PRCTL;
	else if (equal(name, "syscall"))
		slot = KCR_MEMO_SLOT_SYSCALL;
	else
		return real;
	__atomic_store_n(&slots[slot].real, (void *)real, __ATOMIC_RELEASE);
	return thunk(slot);
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned int index, uintptr_t *from, uintptr_t *to,
		       unsigned int *flags, const char *name)
{
	uintptr_t real = symbol->st_value;
	uint64_t mask = *to & ~IS_LIBC;

	(void)index;
	(void)from;
	(void)flags;
	if (!slots)
		return real;
	for (; mask; mask &= mask - 1) {
		uint32_t function = (uint32_t)__builtin_ctzll(mask);
		uint32_t slot;

		if (!equal(name, functions[function].symbol))
			continue;
		slot = find_slot(function, real);
		return slot < KCR_MEMO_SLOTS ? thunk(slot) : real;
	}
	return *to & IS_LIBC ? door(name, real) : real;
}
