// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: signatures of functions behind gates.
 */
#include "gate.h"

#include <errno.h>
#include <string.h>

#define KCR_STRING_MAX	256
#define KCR_OUT_MAX	(KCR_GATE_RESULT_MAX - 2 * sizeof(uint64_t))

/**
 * struct kcr_gate_text - a signature that is being read
 * @at: what comes next
 * @shape: what was read
 * @err: 0 or a negative errno; from then on nothing is read
 * @why: as a sentence
 */
struct kcr_gate_text {
	const char *at;
	struct kcr_gate_shape *shape;
	int err;
	const char *why;
};

static const struct {
	const char *name;
	uint32_t size;
} kcr_integers[] = {
	{ "u8", 1 }, { "u16", 2 }, { "u32", 4 }, { "u64", 8 }, { "i8", 1 }, { "i16", 2 },
	{ "i32", 4 }, { "i64", 8 }, { "bool", 1 }, { "char", 1 }, { "short", 2 }, { "int", 4 },
	{ "long", 8 }, { "size_t", 8 },
};

static void kcr_refuse(struct kcr_gate_text *text, int err, const char *why)
{
	if (text->err)
		return;
	text->err = err;
	text->why = why;
}

static void kcr_skip_blanks(struct kcr_gate_text *text)
{
	while (*text->at == ' ' || *text->at == '\t' || *text->at == '\n')
		text->at++;
}

static bool kcr_in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t kcr_word_len(struct kcr_gate_text *text)
{
	size_t len = 0;

	kcr_skip_blanks(text);
	while (kcr_in_word(text->at[len]))
		len++;
	return len;
}

static bool kcr_accept_word(struct kcr_gate_text *text, const char *word)
{
	size_t len = kcr_word_len(text);

	if (text->err || len != strlen(word) || memcmp(text->at, word, len))
		return false;
	text->at += len;
	return true;
}

static bool kcr_accept(struct kcr_gate_text *text, const char *token)
{
	kcr_skip_blanks(text);
	if (text->err || strncmp(text->at, token, strlen(token)))
		return false;
	text->at += strlen(token);
	return true;
}

static void kcr_expect(struct kcr_gate_text *text, const char *token, const char *why)
{
	if (!kcr_accept(text, token))
		kcr_refuse(text, -EINVAL, why);
}

static uint32_t kcr_number(struct kcr_gate_text *text, uint32_t most)
{
	uint32_t value = 0;
	bool any = false;

	for (kcr_skip_blanks(text); *text->at >= '0' && *text->at <= '9'; text->at++) {
		any = true;
		if (value <= most)
			value = value * 10 + (uint32_t)(*text->at - '0');
	}
	if (!any)
		kcr_refuse(text, -EINVAL, "the signature: a number is missing");
	else if (value > most || !value)
		kcr_refuse(text, -E2BIG, "the signature: that many bytes do not fit, or none");
	return value;
}

/* Bytes of an integer type, or 0 */
static uint32_t kcr_integer(struct kcr_gate_text *text)
{
	size_t i;

	for (i = 0; i < sizeof(kcr_integers) / sizeof(kcr_integers[0]); i++) {
		if (kcr_accept_word(text, kcr_integers[i].name)) {
			if (kcr_integers[i].size == 8 && kcr_accept_word(text, "double"))
				kcr_refuse(text, -EOPNOTSUPP, "a gate takes no floating point");
			return kcr_integers[i].size;
		}
	}
	return 0;
}

/* Says what is wrong with a type that is none of ours */
static void kcr_refuse_type(struct kcr_gate_text *text, bool returned)
{
	static const char *const floats[] = { "f32", "f64", "f80", "float", "double", "ldouble" };
	size_t i;

	for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
		if (kcr_accept_word(text, floats[i]))
			kcr_refuse(text, -EOPNOTSUPP, "a gate takes and returns no floating point");
	}
	if (kcr_accept(text, "..."))
		kcr_refuse(text, -EOPNOTSUPP, "a gate takes no variable arguments");
	if (returned && (kcr_accept(text, "ptr") || kcr_accept(text, "cstr") ||
			 kcr_accept(text, "arg") || kcr_accept(text, "id")))
		kcr_refuse(text, -EOPNOTSUPP, "a pointer that is returned says nothing later on");
	if (kcr_accept_word(text, "struct"))
		kcr_refuse(text, -EOPNOTSUPP, "a gate takes structures member by member");
	if (kcr_accept_word(text, "both"))
		kcr_refuse(text, -EOPNOTSUPP, "memory behind a gate is read or written, not both");
	if (kcr_accept(text, "-"))
		kcr_refuse(text, -EOPNOTSUPP, "all arguments of a gate count");
	kcr_refuse(text, -EINVAL, "the signature: an unknown type");
}

/* [64], [len=arg1], [len=arg1*8]; the argument may be one that comes later */
static void kcr_extent(struct kcr_gate_text *text, struct kcr_gate_memory *m, uint32_t most)
{
	kcr_expect(text, "[", "a pointer says nothing of what it leads to: ptr[64], "
			      "ptr[len=arg1], cstr, out[16]; id for an object");
	if (!kcr_accept_word(text, "len")) {
		m->len = kcr_number(text, most);
	} else {
		kcr_expect(text, "=", "the signature: = after len");
		kcr_skip_blanks(text);
		if (strncmp(text->at, "arg", 3) || text->at[3] < '0' || text->at[3] > '5' ||
		    kcr_in_word(text->at[4])) {
			kcr_refuse(text, -EINVAL, "the signature: which argument, as in len=arg1");
			return;
		}
		m->len_arg = (uint8_t)(text->at[3] - '0');
		text->at += 4;
		m->len = kcr_accept(text, "*") ? kcr_number(text, most) : 1;
	}
	kcr_expect(text, "]", "the signature: ] is missing");
}

static void kcr_memory(struct kcr_gate_text *text, uint8_t flags)
{
	struct kcr_gate_shape *shape = text->shape;
	struct kcr_gate_memory *m = &shape->memory[shape->nr_memory];
	uint32_t most = flags & KCR_GATE_OUT ? KCR_OUT_MAX : KCR_GATE_KEY_MAX;

	if (shape->nr_memory == KCR_GATE_MEMORY) {
		kcr_refuse(text, -EOPNOTSUPP, "a gate has at most four arguments that are memory");
		return;
	}
	shape->nr_memory++;
	*m = (struct kcr_gate_memory){
		.arg = (uint8_t)shape->nr_args,
		.len_arg = KCR_GATE_LEN_FIXED,
		.flags = flags,
	};
	kcr_skip_blanks(text);
	if (flags & KCR_GATE_STRING && *text->at != '[')
		m->len = KCR_STRING_MAX;
	else
		kcr_extent(text, m, most);
	if (flags & KCR_GATE_STRING && m->len_arg != KCR_GATE_LEN_FIXED)
		kcr_refuse(text, -EINVAL, "the signature: a string's longest length is a number");
}

static void kcr_argument(struct kcr_gate_text *text)
{
	struct kcr_gate_shape *shape = text->shape;

	if (shape->nr_args == KCR_GATE_ARGS) {
		kcr_refuse(text, -EOPNOTSUPP, "a gate takes no arguments on the stack: at most six");
		return;
	}
	if (kcr_accept_word(text, "ptr")) {
		kcr_memory(text, KCR_GATE_IN);
	} else if (kcr_accept_word(text, "out")) {
		kcr_memory(text, KCR_GATE_OUT);
	} else if (kcr_accept_word(text, "cstr")) {
		kcr_memory(text, KCR_GATE_IN | KCR_GATE_STRING);
	} else if (!kcr_accept_word(text, "id") && !kcr_integer(text)) {
		kcr_refuse_type(text, false);
	}
	shape->nr_args++;
}

static void kcr_result_member(struct kcr_gate_text *text, uint32_t *offset)
{
	uint32_t size = kcr_integer(text);
	uint64_t mask;

	if (!size) {
		kcr_refuse_type(text, true);
		return;
	}
	*offset = (*offset + size - 1) & ~(size - 1);
	if (*offset + size > 16) {
		kcr_refuse(text, -EOPNOTSUPP, "a gate returns at most 16 bytes");
		return;
	}
	mask = size == 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
	text->shape->masks[*offset / 8] |= mask << (8 * (*offset % 8));
	*offset += size;
}

static void kcr_result(struct kcr_gate_text *text)
{
	uint32_t offset = 0;

	if (kcr_accept_word(text, "void"))
		return;
	if (!kcr_accept_word(text, "struct")) {
		kcr_result_member(text, &offset);
		return;
	}
	kcr_expect(text, "{", "the signature: { after struct");
	do {
		kcr_result_member(text, &offset);
	} while (kcr_accept(text, ","));
	kcr_expect(text, "}", "the signature: } is missing");
}

/* How long keys and results can be, and whether any can be short enough */
static void kcr_limits(struct kcr_gate_text *text)
{
	struct kcr_gate_shape *shape = text->shape;
	uint32_t key = shape->nr_args * 8, result = 16, i;
	uint32_t key_most = key, result_most = result;

	for (i = 0; i < shape->nr_memory; i++) {
		const struct kcr_gate_memory *m = &shape->memory[i];
		bool fixed = m->len_arg == KCR_GATE_LEN_FIXED && !(m->flags & KCR_GATE_STRING);
		uint32_t least = fixed ? (m->len + 7) & ~7U : 0;

		if (m->len_arg != KCR_GATE_LEN_FIXED && m->len_arg >= shape->nr_args)
			kcr_refuse(text, -EINVAL, "the signature: there is no such argument");
		if (m->flags & KCR_GATE_OUT) {
			result += least;
			result_most += fixed ? least : KCR_GATE_RESULT_MAX;
		} else {
			key += least;
			key_most += fixed ? least : KCR_GATE_KEY_MAX;
		}
	}
	for (i = 0; i < shape->nr_memory; i++) {
		uint32_t arg = shape->memory[i].len_arg, j;

		for (j = 0; j < shape->nr_memory; j++) {
			if (shape->memory[j].arg == arg)
				kcr_refuse(text, -EINVAL, "the signature: a length is an integer");
		}
	}
	if (key > KCR_GATE_KEY_MAX || result > KCR_GATE_RESULT_MAX)
		kcr_refuse(text, -E2BIG, "what is read or written is more than a gate takes");
	if (result == 16 && result_most == 16 && !shape->masks[0])
		kcr_refuse(text, -EINVAL, "a function that returns nothing and writes nothing is "
					  "called for its effect");
	shape->key_max = key_most < KCR_GATE_KEY_MAX ? key_most : KCR_GATE_KEY_MAX;
	shape->result_max = result_most < KCR_GATE_RESULT_MAX ? result_most : KCR_GATE_RESULT_MAX;
}

/**
 * kcr_gate_parse() - read a signature
 * @signature: the text
 * @shape: out: what it says
 * @why: out: what is wrong with it; as it was if nothing is
 *
 * Context: any.
 * Return: 0; -EINVAL if it makes no sense, -EOPNOTSUPP if no gate can have it,
 * -E2BIG if keys or results would always be too long.
 */
int kcr_gate_parse(const char *signature, struct kcr_gate_shape *shape, const char **why)
{
	struct kcr_gate_text text = { .at = signature ? signature : "", .shape = shape };

	memset(shape, 0, sizeof(*shape));
	kcr_expect(&text, "(", "the signature: ( and the arguments");
	if (!kcr_accept(&text, ")")) {
		do {
			kcr_argument(&text);
		} while (kcr_accept(&text, ","));
		kcr_expect(&text, ")", "the signature: , or ) is missing");
	}
	kcr_expect(&text, "->", "the signature: -> and what is returned");
	kcr_result(&text);
	kcr_skip_blanks(&text);
	if (*text.at)
		kcr_refuse(&text, -EINVAL, "the signature: something is behind its end");
	if (!text.err)
		kcr_limits(&text);
	if (text.err)
		*why = text.why;
	return text.err;
}
