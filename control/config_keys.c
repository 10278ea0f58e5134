/* SPDX-License-Identifier: MIT
 *
 * control/config_keys.c — the section `keys`. Nothing here prints a secret, or what may be one by
 * mistake. */
#include <stdlib.h>

#include "base/codec.h"
#include "base/digest.h"
#include "control/config_p.h"

/* RFC 8945 §5.2.2.1: not below half of the hash, nor below 10 octets. */
#define TRUNCATED_MAC_LEAST 10

static const uint8_t mac_lens[TSIG_ALGORITHMS] = {
	[TSIG_HMAC_MD5] = 16,    [TSIG_HMAC_SHA1] = 20,   [TSIG_HMAC_SHA224] = 28,
	[TSIG_HMAC_SHA256] = 32, [TSIG_HMAC_SHA384] = 48, [TSIG_HMAC_SHA512] = 64,
};

static const char algorithms_known[] =
	"hmac-sha256, hmac-sha512, hmac-sha384, hmac-sha224, hmac-sha1 or hmac-md5";

/* One entry of the section. */
struct key_entry {
	const struct node *name;
	const struct node *algorithm;
	const struct node *secret;
	const struct node *file;
	uint64_t truncated_mac;
};

bool key_find(const struct config_load *l, struct name name, uint32_t *out)
{
	uint64_t hash = name_hash(l->c->zone_seed, name);
	uint32_t i = name_table_first(&l->key_names, hash);

	for (; i != 0; i = l->key_names.next[i - 1]) {
		if (name_equal(name_of(&l->c->keys[i - 1].name), name)) {
			*out = i - 1;
			return true;
		}
	}
	return false;
}

static const char *name_text(struct name n, char out[static NAME_TEXT_MAX])
{
	struct writer w = writer_of(out, NAME_TEXT_MAX - 1);

	if (!name_print(n, &w)) {
		w.len = 0;
	}
	out[w.len] = '\0';
	return out;
}

/* Takes one more key, whose name is new. Growing leaves no copy of a secret behind. */
static void key_append(struct config_load *l, const struct config_key *key)
{
	struct config *c = l->c;
	size_t count = c->key_count;

	if ((count & (count - 1)) == 0) {
		struct config_key *grown = mem_zero(count == 0 ? 1 : count * 2, sizeof(*grown));

		if (count > 0) {
			memcpy(grown, c->keys, count * sizeof(*grown));
			secret_wipe(c->keys, count * sizeof(*grown));
		}
		free(c->keys);
		c->keys = grown;
	}
	c->keys[count] = *key;
	name_table_add(&l->key_names, name_hash(c->zone_seed, name_of(&key->name)),
	               (uint32_t)count);
	c->key_count++;
}

bool key_add(struct config_load *l, uint32_t line, struct config_key *key, uint64_t truncated_mac)
{
	uint8_t full = mac_lens[key->algorithm];
	uint8_t least = full / 2 > TRUNCATED_MAC_LEAST ? full / 2 : TRUNCATED_MAC_LEAST;
	char text[NAME_TEXT_MAX];
	uint32_t other;

	if (key_find(l, name_of(&key->name), &other)) {
		load_error(l, line, "a second key with the name %.255s",
		           name_text(name_of(&key->name), text));
		return false;
	}
	if (l->c->key_count == CONFIG_KEYS_MAX) {
		load_error(l, line, "more than %d keys", CONFIG_KEYS_MAX);
		return false;
	}
	if (truncated_mac != 0 && (truncated_mac < least || truncated_mac > full)) {
		load_error(l, line,
		           "truncated-mac: %u octets are not allowed for %s; write %u to %u "
		           "(RFC 8945 section 5.2.2.1)",
		           (unsigned)truncated_mac, tsig_algorithm_print(key->algorithm),
		           (unsigned)least, (unsigned)full);
		return false;
	}
	key->min_mac_len = (uint8_t)truncated_mac;
	key_append(l, key);
	return true;
}

bool key_algorithm(struct config_load *l, uint32_t line, struct bytes text,
                   enum tsig_algorithm *out)
{
	char word[32] = "";
	char hint[CONFIG_QUOTE_MAX];
	struct suggestion near = { .for_text = word };

	if (tsig_algorithm_parse(text, out) == ERR_OK) {
		return true;
	}
	/* Not shown unless it looks like one: it might be the secret in the wrong place. */
	if (text.len > 4 && text.len < sizeof(word) && memcmp(text.at, "hmac", 4) == 0) {
		memcpy(word, text.at, text.len);
		for (unsigned a = 0; a < TSIG_ALGORITHMS; a++) {
			suggestion_try(&near, tsig_algorithm_print((enum tsig_algorithm)a));
		}
	}
	load_error(l, line, "%s%sis not an algorithm for TSIG%s; write %s", word,
	           word[0] != '\0' ? " " : "", suggestion_print(&near, hint), algorithms_known);
	return false;
}

bool key_secret(struct config_load *l, uint32_t line, struct bytes text, struct config_key *key)
{
	struct writer w = writer_of(key->secret, sizeof(key->secret));
	enum err e = base64_decode(text, &w);

	if (e == ERR_BUDGET) {
		load_error(l, line, "is longer than %d octets", TSIG_SECRET_MAX_LEN);
		return false;
	}
	if (e != ERR_OK || w.len == 0) {
		load_error(l, line,
		           "is not base64; write what tsig-keygen or dnssec-keygen printed");
		return false;
	}
	key->secret_len = (uint16_t)w.len;
	return true;
}

static void read_name(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, "the key's name, as the primary has it")) {
		((struct key_entry *)to)->name = n;
	}
}

static void read_algorithm(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, algorithms_known)) {
		((struct key_entry *)to)->algorithm = n;
	}
}

static void read_secret(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, "the secret in base64")) {
		((struct key_entry *)to)->secret = n;
	}
}

static void read_file(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, "the path of a key file")) {
		((struct key_entry *)to)->file = n;
	}
}

static void read_truncated_mac(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { TRUNCATED_MAC_LEAST, TSIG_MAC_MAX_LEN };

	value_number(l, n, range, &((struct key_entry *)to)->truncated_mac);
}

static const struct setting key_settings[] = {
	{ "name", read_name }, { "algorithm", read_algorithm },         { "secret", read_secret },
	{ "file", read_file }, { "truncated-mac", read_truncated_mac },
};

static void key_from_file(struct config_load *l, const struct node *n, uint64_t truncated_mac)
{
	struct key_sink sink = { .l = l, .truncated_mac = truncated_mac };
	char path[CONFIG_PATH_MAX_LEN + 1];
	const char *file = l->file;
	const char *why = "";
	struct config_file f;

	if (!path_resolve(l, n->text, path, sizeof(path))) {
		load_error(l, n->line, "the path is longer than %d octets", CONFIG_PATH_MAX_LEN);
		return;
	}
	if (l->host->read_fn(l->host->self, path, &f, &why) != ERR_OK) {
		load_error(l, n->line, "cannot read %.200s: %s", path, why);
		return;
	}
	l->file = path;
	if (key_file_read(&sink, bytes_of(f.text, f.len), path) && f.world_readable) {
		load_warning(l, "everyone may read this key; chmod o-r it");
	}
	l->file = file;
	secret_wipe(f.text, f.len);
	free(f.text);
}

/* The key's parts, all in the configuration itself. */
static void key_from_entry(struct config_load *l, uint32_t line, const struct key_entry *e)
{
	struct config_key key = { 0 };
	size_t mark;
	bool good;

	if (e->name == NULL || e->algorithm == NULL || e->secret == NULL) {
		load_error(l, line, "a key needs %s; or a file",
		           e->name == NULL        ? "a name"
		           : e->algorithm == NULL ? "an algorithm"
		                                  : "a secret");
		return;
	}
	mark = setting_enter(l, "name");
	good = value_name(l, e->name->line, bytes_of(e->name->text, e->name->len), &key.name);
	setting_leave(l, mark);
	mark = setting_enter(l, "algorithm");
	good = key_algorithm(l, e->algorithm->line, bytes_of(e->algorithm->text, e->algorithm->len),
	                     &key.algorithm) &&
	       good;
	setting_leave(l, mark);
	mark = setting_enter(l, "secret");
	good = key_secret(l, e->secret->line, bytes_of(e->secret->text, e->secret->len), &key) &&
	       good;
	setting_leave(l, mark);
	if (good && key_add(l, line, &key, e->truncated_mac)) {
		l->has_secrets = true;
	}
	secret_wipe(&key, sizeof(key));
}

static void read_key(struct config_load *l, const struct node *n)
{
	size_t before = l->errors->error_count;
	struct key_entry e = { 0 };
	size_t mark;

	if (!value_map(l, n, key_settings, ARRAY_LEN(key_settings), &e) ||
	    l->errors->error_count > before) {
		return;
	}
	if (e.file == NULL) {
		key_from_entry(l, n->line, &e);
		return;
	}
	mark = setting_enter(l, "file");
	if (e.name != NULL || e.algorithm != NULL || e.secret != NULL) {
		load_error(l, e.file->line,
		           "the file has the key; take name, algorithm and secret out");
	} else {
		key_from_file(l, e.file, e.truncated_mac);
	}
	setting_leave(l, mark);
}

void read_keys(struct config_load *l, const struct node *section)
{
	size_t before = l->errors->error_count;
	size_t count;

	if (value_list(l, section, &count)) {
		for (const struct node *i = section->first; i != NULL; i = i->next) {
			read_key(l, i->value);
		}
	}
	l->keys_failed = l->errors->error_count > before;
}

bool key_ref(struct config_load *l, const struct node *n, uint32_t *out)
{
	struct suggestion near = { .for_text = n->text };
	char text[NAME_TEXT_MAX], quoted[CONFIG_QUOTE_MAX], hint[CONFIG_QUOTE_MAX];
	struct name_buf name;

	if (!value_text(l, n, "the name of a key") ||
	    !value_name(l, n->line, bytes_of(n->text, n->len), &name)) {
		return false;
	}
	if (key_find(l, name_of(&name), out)) {
		return true;
	}
	if (l->keys_failed) {
		return false; /* it may be the one that is broken */
	}
	for (size_t i = 0; i < l->c->key_count; i++) {
		size_t len = strlen(name_text(name_of(&l->c->keys[i].name), text));

		if (n->text[n->len - 1] != '.' && len > 1) {
			text[len - 1] = '\0';
		}
		suggestion_try(&near, text);
	}
	load_error(l, n->line, "there is no key %s%s", quote(n->text, n->len, quoted),
	           suggestion_print(&near, hint));
	return false;
}
