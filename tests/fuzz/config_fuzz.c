/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/config_fuzz.c — configurations: what is accepted is whole, what is refused is told.
 *
 * Input: a configuration; after a NUL, the content of every file it names. */
#include <stdlib.h>

#include "base/arena.h"
#include "control/config.h"

#include "tests/fuzz/fuzz.h"

struct input {
	struct bytes config;
	struct bytes files;
};

static enum err input_read(void *self, const char *path, struct config_file *out, const char **why)
{
	const struct input *in = self;
	struct bytes b = strcmp(path, "axfarm.yaml") == 0 ? in->config : in->files;

	(void)why;
	out->text = mem_new(b.len + 1);
	if (b.len > 0) {
		memcpy(out->text, b.at, b.len);
	}
	out->text[b.len] = '\0';
	out->len = b.len;
	out->world_readable = true;
	return ERR_OK;
}

static void judge_access(const struct config *c, const struct config_access *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert(list[i].key == CONFIG_NO_KEY || list[i].key < c->key_count);
		assert(list[i].any_addr ? list[i].key != CONFIG_NO_KEY
		                        : list[i].range.lo.family == list[i].range.hi.family);
	}
}

static void judge_settings(const struct config *c, const struct config_settings *s)
{
	assert(s->primary_count > 0);
	for (size_t i = 0; i < s->primary_count; i++) {
		assert(s->primaries[i] < c->primary_count);
	}
	judge_access(c, s->allow_notify, s->allow_notify_count);
	judge_access(c, s->allow_transfer, s->allow_transfer_count);
	for (size_t i = 0; i < s->notify_count; i++) {
		assert(s->notify[i].addr.family != 0 && s->notify[i].addr.port != 0);
		assert(s->notify[i].key == CONFIG_NO_KEY || s->notify[i].key < c->key_count);
	}
	assert(s->limits.min_refresh_s <= s->limits.max_refresh_s);
	assert(s->limits.min_retry_s <= s->limits.max_retry_s);
	assert(s->limits.idle_time_s > 0 && s->limits.transfer_time_s > 0);
}

static void judge(const struct config *c)
{
	assert(c->listen_count > 0 && c->workers <= CONFIG_WORKERS_MAX);
	for (size_t i = 0; i < c->listen_count; i++) {
		assert(c->listen[i].family != 0 && c->listen[i].port != 0);
	}
	for (size_t i = 0; i < c->key_count; i++) {
		assert(c->keys[i].secret_len > 0 && c->keys[i].secret_len <= TSIG_SECRET_MAX_LEN);
		assert(c->keys[i].min_mac_len <= TSIG_MAC_MAX_LEN);
	}
	for (size_t i = 0; i < c->primary_count; i++) {
		assert(c->primaries[i].name[0] != '\0' && c->primaries[i].address_count > 0);
		assert(c->primaries[i].key == CONFIG_NO_KEY || c->primaries[i].key < c->key_count);
	}
	for (size_t i = 0; i < c->settings_count; i++) {
		judge_settings(c, &c->settings[i]);
	}
	for (size_t i = 0; i < c->zone_count; i++) {
		size_t at;

		assert(c->zones[i].settings < c->settings_count);
		assert(config_zone_find(c, config_zone_name(c, i), &at) && at == i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_fake env;
	const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
	size_t len = nul == NULL ? size : (size_t)(nul - data);
	struct input in = { bytes_of(data, len),
		            nul == NULL ? bytes_of("", 0) : bytes_of(nul + 1, size - len - 1) };
	struct config_host host = { &in, &env.env, input_read };
	struct config_errors *errors = mem_zero(1, sizeof(*errors));
	struct config c = { 0 };

	env_fake_init(&env, 1);
	if (config_load_from(&host, "axfarm.yaml", &c, errors) == ERR_OK) {
		assert(errors->error_count == 0);
		judge(&c);
		config_fini(&c);
	} else {
		assert(errors->error_count > 0 && errors->errors[0][0] != '\0');
	}
	free(errors);
	return 0;
}
