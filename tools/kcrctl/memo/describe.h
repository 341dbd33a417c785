/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `kcrctl run` tells the libraries that it has the dynamic linker load: the
 * descriptor of the domain, and the functions to reuse.
 *
 * It is the value of KCR_MEMO in the environment, written by tools/kcrctl/src/description.cpp:
 * lines of fields with tabs between them, numbers in hexadecimal. The first line is
 *
 *	kcr1 FD FILTERS
 *
 * FILTERS is how many seccomp filters kcrctl itself had. Each other line is a function:
 *
 *	LIBRARY SYMBOL ITEMS RETURNS OPTIONS
 *
 * ITEMS are the arguments, each with a semicolon behind it:
 *
 *	iREG,MASK	the bits MASK of an integer register (0..5: rdi rsi rdx rcx r8 r9), or of
 *			a word on the stack (6...)
 *	pREG		a pointer as such: another process means something else by it
 *	fREG,MASK	the bits MASK of xmm0..xmm7
 *	bMODE,REG,COUNT,A,MASKA,B,MASKB,DEREF
 *			memory behind an integer register, of COUNT * A * B bytes. A and B are
 *			integer registers, or ff for the number 1, or, behind what is written,
 *			fe for the returned value. DEREF 1: A leads to a number of 64 bits,
 *			instead. MODE 1 is read, 2 is written, 3 both
 *	sMODE,REG	the same of a string and its terminating zero
 *	tREG,COUNT,A,MASKA,B,MASKB,DEREF
 *			memory that is read and rarely changes, so that the kernel watches it
 *
 * RETURNS: iREG,MASK (0: rax, 1: rdx), fREG,MASK (xmm0, xmm1), or aREG for what is
 * either an argument or NULL.
 *
 * OPTIONS: FLAGS,LEARN,EXPIRY_MS,MAX_ENTRIES as libkcr has them, then how many words of arguments
 * there are on the stack.
 *
 * This file is used without a C library, too.
 */
#ifndef KCR_MEMO_DESCRIBE_H
#define KCR_MEMO_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#define KCR_MEMO_ENV		"KCR_MEMO"
#define KCR_MEMO_MAGIC		"kcr1"
/* Functions in a description, and arguments that one may have */
#define KCR_MEMO_FUNCTIONS	48
#define KCR_MEMO_ITEMS		16
#define KCR_MEMO_RETURNS	2
#define KCR_MEMO_TRACKED	4

#define KCR_MEMO_GP		6
#define KCR_MEMO_STACK		8
#define KCR_MEMO_ARGUMENTS	(KCR_MEMO_GP + KCR_MEMO_STACK)
#define KCR_MEMO_XMM		8
#define KCR_MEMO_NO_REG		0xff
#define KCR_MEMO_RETURN_REG	0xfe

enum kcr_memo_mode {
	KCR_MEMO_IN = 1,
	KCR_MEMO_OUT = 2,
};

struct kcr_memo_item {
	char kind;
	uint8_t reg;
	uint8_t mode;
	uint8_t bytes;		/* of a register that count */
	uint8_t reg_a;
	uint8_t reg_b;
	uint8_t deref;
	uint32_t count;
	uint64_t mask;		/* or that of A */
	uint64_t mask_b;
};

struct kcr_memo_function {
	char symbol[256];
	char library[128];
	uint64_t digest;	/* of items and returns, as they are written */
	uint32_t nr_items;
	uint32_t nr_returns;
	uint32_t writes;	/* some item is written */
	uint32_t stack_words;
	uint32_t nr_tracked;	/* items that are watched */
	struct kcr_memo_item items[KCR_MEMO_ITEMS];
	struct kcr_memo_item returns[KCR_MEMO_RETURNS];
	uint32_t flags;
	uint32_t learn;
	uint32_t expiry_ms;
	uint32_t max_entries;
};

struct kcr_memo_text {
	const char *at;
	int bad;
};

static inline uint64_t kcr_memo_number(struct kcr_memo_text *text, uint64_t largest)
{
	uint64_t value = 0;
	unsigned int digits = 0;

	for (;; digits++, text->at++) {
		char c = *text->at;
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			break;
		value = value << 4 | digit;
	}
	if (!digits || digits > 16 || value > largest)
		text->bad = 1;
	return value;
}

static inline void kcr_memo_expect(struct kcr_memo_text *text, char c)
{
	if (*text->at == c)
		text->at++;
	else
		text->bad = 1;
}

static inline uint64_t kcr_memo_next(struct kcr_memo_text *text, uint64_t largest)
{
	kcr_memo_expect(text, ',');
	return kcr_memo_number(text, largest);
}

/* Copies up to the tab; what does not fit is an error. */
static inline void kcr_memo_word(struct kcr_memo_text *text, char *to, size_t room)
{
	size_t length = 0;

	while (*text->at && *text->at != '\t' && *text->at != '\n' && length + 1 < room)
		to[length++] = *text->at++;
	to[length] = '\0';
	if (!length)
		text->bad = 1;
	kcr_memo_expect(text, '\t');
}

/* Bytes that a masked register takes in keys and results: 1, 2, 4 or 8. */
static inline uint8_t kcr_memo_bytes(uint64_t mask)
{
	if (mask >> 32)
		return 8;
	if (mask >> 16)
		return 4;
	return mask >> 8 ? 2 : 1;
}

static inline uint8_t kcr_memo_factor(struct kcr_memo_text *text)
{
	uint64_t reg = kcr_memo_next(text, 0xff);

	if (reg >= KCR_MEMO_ARGUMENTS && reg != KCR_MEMO_NO_REG && reg != KCR_MEMO_RETURN_REG)
		text->bad = 1;
	return (uint8_t)reg;
}

static inline void kcr_memo_read_extent(struct kcr_memo_text *text, struct kcr_memo_item *item)
{
	item->count = (uint32_t)kcr_memo_next(text, UINT32_MAX);
	item->reg_a = kcr_memo_factor(text);
	item->mask = kcr_memo_next(text, UINT64_MAX);
	item->reg_b = kcr_memo_factor(text);
	item->mask_b = kcr_memo_next(text, UINT64_MAX);
	item->deref = (uint8_t)kcr_memo_next(text, 1);
	text->bad |= item->deref && item->reg_a >= KCR_MEMO_ARGUMENTS;
}

static inline void kcr_memo_read_item(struct kcr_memo_text *text, struct kcr_memo_item *item,
				 int returned)
{
	uint64_t registers = returned ? KCR_MEMO_RETURNS : KCR_MEMO_ARGUMENTS;

	item->kind = *text->at++;
	switch (item->kind) {
	case 'f':
		registers = returned ? KCR_MEMO_RETURNS : KCR_MEMO_XMM;
		/* fall through */
	case 'i':
		item->reg = (uint8_t)kcr_memo_number(text, registers - 1);
		item->mask = kcr_memo_next(text, UINT64_MAX);
		item->bytes = kcr_memo_bytes(item->mask);
		break;
	case 'a':
	case 'p':
		text->bad |= returned != (item->kind == 'a');
		item->reg = (uint8_t)kcr_memo_number(text, KCR_MEMO_ARGUMENTS - 1);
		break;
	case 't':
		text->bad |= returned;
		item->mode = KCR_MEMO_IN;
		item->reg = (uint8_t)kcr_memo_number(text, KCR_MEMO_ARGUMENTS - 1);
		kcr_memo_read_extent(text, item);
		break;
	case 'b':
	case 's':
		text->bad |= returned;
		item->mode = (uint8_t)kcr_memo_number(text, KCR_MEMO_IN | KCR_MEMO_OUT);
		item->reg = (uint8_t)kcr_memo_next(text, KCR_MEMO_ARGUMENTS - 1);
		text->bad |= !item->mode;
		if (item->kind == 'b')
			kcr_memo_read_extent(text, item);
		break;
	default:
		text->bad = 1;
	}
	kcr_memo_expect(text, ';');
}

/* Items up to the tab; returns how many. */
static inline uint32_t kcr_memo_items(struct kcr_memo_text *text, struct kcr_memo_item *items,
				      uint32_t room, int returned)
{
	uint32_t nr = 0;

	while (!text->bad && *text->at != '\t') {
		if (nr == room || !*text->at) {
			text->bad = 1;
			break;
		}
		items[nr] = (struct kcr_memo_item){ 0 };
		kcr_memo_read_item(text, &items[nr++], returned);
	}
	kcr_memo_expect(text, '\t');
	return nr;
}

/* Reads the line of a function. Returns 0, or -1 if it makes no sense. */
static inline int kcr_memo_read_function(struct kcr_memo_text *text,
					 struct kcr_memo_function *function)
{
	const char *begin;

	kcr_memo_word(text, function->library, sizeof(function->library));
	kcr_memo_word(text, function->symbol, sizeof(function->symbol));
	begin = text->at;
	function->nr_items = kcr_memo_items(text, function->items, KCR_MEMO_ITEMS, 0);
	function->writes = 0;
	function->nr_tracked = 0;
	for (uint32_t i = 0; i < function->nr_items; i++) {
		function->writes |= function->items[i].mode & KCR_MEMO_OUT;
		function->nr_tracked += function->items[i].kind == 't';
	}
	text->bad |= function->nr_tracked > KCR_MEMO_TRACKED;
	function->nr_returns = kcr_memo_items(text, function->returns, KCR_MEMO_RETURNS, 1);
	function->digest = 0xcbf29ce484222325U;
	for (; !text->bad && begin < text->at; begin++)
		function->digest = (function->digest ^ (uint8_t)*begin) * 0x100000001b3U;
	function->flags = (uint32_t)kcr_memo_number(text, UINT32_MAX);
	function->learn = (uint32_t)kcr_memo_next(text, UINT32_MAX);
	function->expiry_ms = (uint32_t)kcr_memo_next(text, UINT32_MAX);
	function->max_entries = (uint32_t)kcr_memo_next(text, UINT32_MAX);
	function->stack_words = (uint32_t)kcr_memo_next(text, KCR_MEMO_STACK);
	kcr_memo_expect(text, '\n');
	return text->bad ? -1 : 0;
}

/* Reads the first line. Returns 0, or -1 if it makes no sense. */
static inline int kcr_memo_read_head(struct kcr_memo_text *text, int *fd, uint32_t *filters)
{
	char magic[8];

	kcr_memo_word(text, magic, sizeof(magic));
	for (size_t i = 0; i < sizeof(KCR_MEMO_MAGIC); i++)
		text->bad |= magic[i] != KCR_MEMO_MAGIC[i];
	*fd = (int)kcr_memo_number(text, INT32_MAX);
	kcr_memo_expect(text, '\t');
	*filters = (uint32_t)kcr_memo_number(text, UINT32_MAX);
	kcr_memo_expect(text, '\n');
	return text->bad ? -1 : 0;
}

#endif /* KCR_MEMO_DESCRIBE_H */
