// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: what code is the same code.
 */
#include "internal.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

struct kcr_code {
	uintptr_t address;
	uint64_t offset;
	const void *build_id;
	size_t build_id_len;
	const char *path;
};

/* The build id among the notes at @at, if it is there */
static void kcr_find_build_id(struct kcr_code *code, const unsigned char *at, size_t size)
{
	ElfW(Nhdr) note;

	while (size >= sizeof(note)) {
		size_t name, desc;

		memcpy(&note, at, sizeof(note));
		name = sizeof(note) + ((note.n_namesz + 3U) & ~3U);
		desc = (note.n_descsz + 3U) & ~3U;
		if (name > size || desc > size - name)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(at + sizeof(note), "GNU", 4)) {
			code->build_id = at + name;
			code->build_id_len = note.n_descsz;
			return;
		}
		at += name + desc;
		size -= name + desc;
	}
}

static int kcr_look_at_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct kcr_code *code = arg;
	bool here = false;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum && !here; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + phdr->p_vaddr;

		here = phdr->p_type == PT_LOAD && code->address - start < phdr->p_memsz;
	}
	if (!here)
		return 0;
	code->offset = code->address - info->dlpi_addr;
	code->path = info->dlpi_name;
	for (i = 0; i < info->dlpi_phnum && !code->build_id; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];

		if (phdr->p_type == PT_NOTE)
			kcr_find_build_id(code, (const void *)(info->dlpi_addr + phdr->p_vaddr),
					  phdr->p_memsz);
	}
	return 1;
}

int kcr_code_identity(const void *address, void *identity)
{
	struct kcr_code code = { .address = (uintptr_t)address };
	size_t i;

	if (!dl_iterate_phdr(kcr_look_at_object, &code))
		return -ENOENT;
	if (!code.build_id) {
		code.build_id = code.path;
		code.build_id_len = strlen(code.path);
	}
	for (i = 0; i < KCR_IDENTITY_BYTES / sizeof(uint64_t); i++) {
		uint64_t part = kcr_hash(code.build_id, code.build_id_len, code.offset + i);

		part = kcr_hash(&code.offset, sizeof(code.offset), part);
		memcpy((char *)identity + i * sizeof(part), &part, sizeof(part));
	}
	return 0;
}
