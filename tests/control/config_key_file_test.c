/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_key_file_test.c — key files as BIND's tools write them. */
#include "control/config.h"

#include <string.h>

#include "tests/control/config_fixture.h"
#include "tests/test.h"

struct key_case {
	const char *path;
	const char *text;
	const char *name; /* NULL: fails */
	enum tsig_algorithm algorithm;
	const char *error;
};

static enum err key_load(const struct key_case *k, struct config *out, struct config_errors *errors)
{
	char yaml[256];
	char path[128];
	struct fake_file files[2] = { { "etc/axfarm.yaml", yaml, false },
		                      { path, k->text, false } };
	struct fake_disk disk = { files, 2 };

	snprintf(yaml, sizeof(yaml), "keys: [{file: '%s'}]\n", k->path);
	snprintf(path, sizeof(path), "etc/%s", k->path);
	return disk_load(&disk, out, errors);
}

TEST(config_key_file, reads_the_forms_of_the_tools)
{
	static const struct key_case cases[] = {
		{ "Kk.+163+64252.key", "test_key. IN KEY 512 3 163 c2VjcmV0\n", "test_key.",
		  TSIG_HMAC_SHA256, NULL },
		{ "a.key", "; a comment\ntest_key. 3600 IN KEY 512 3 157 c2Vj cmV0\n", "test_key.",
		  TSIG_HMAC_MD5, NULL },
		{ "Ktest_key.+165+64252.private",
		  "Private-key-format: v1.3\nAlgorithm: 165 (HMAC_SHA512)\nKey: c2VjcmV0\n"
		  "Bits: AAA=\nCreated: 20200101000000\n",
		  "test_key.", TSIG_HMAC_SHA512, NULL },
		{ "Kk%2f1.example.+161+00001.private",
		  "Private-key-format: v1.2\nAlgorithm: 161 (HMAC_SHA1)\nKey: c2VjcmV0\n",
		  "k/1.example.", TSIG_HMAC_SHA1, NULL },
		{ "tsig.conf",
		  "key \"k1.example\" {\n\talgorithm hmac-sha384;\n\tsecret \"c2VjcmV0\";\n};\n",
		  "k1.example.", TSIG_HMAC_SHA384, NULL },
		{ "tsig.conf",
		  "# one\n// two\n/* three\n */ key k { secret c2VjcmV0; algorithm hmac-sha224; } "
		  ";",
		  "k.", TSIG_HMAC_SHA224, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[NAME_TEXT_MAX] = "";
		struct writer w = writer_of(text, sizeof(text) - 1);
		struct config_errors errors;
		struct config c;

		cr_assert(eq(int, key_load(&cases[i], &c, &errors), ERR_OK), "%s: %s",
		          cases[i].text, errors.errors[0]);
		cr_assert(eq(sz, c.key_count, 1));
		cr_assert(name_print(name_of(&c.keys[0].name), &w));
		cr_expect(eq(str, text, (char *)cases[i].name));
		cr_expect(eq(int, c.keys[0].algorithm, cases[i].algorithm));
		cr_expect(eq(uint, c.keys[0].secret_len, 6));
		cr_expect(eq(int, memcmp(c.keys[0].secret, "secret", 6), 0));
		config_fini(&c);
	}
}

TEST(config_key_file, reads_several_clauses)
{
	static const struct key_case two = {
		.path = "keys.conf",
		.text = "key a { algorithm hmac-sha1; secret AAAA; };\n"
			"key b { algorithm hmac-md5; secret BBBB; };"
	};
	struct config_errors errors;
	struct config c;

	cr_assert(eq(int, key_load(&two, &c, &errors), ERR_OK), "%s", errors.errors[0]);
	cr_expect(eq(sz, c.key_count, 2));
	cr_expect(eq(int, c.keys[1].algorithm, TSIG_HMAC_MD5));
	config_fini(&c);
}

TEST(config_key_file, refuses_the_rest_and_names_the_line)
{
	static const struct key_case cases[] = {
		{ "k", "", NULL, 0, "etc/k: keys.file: the key file is empty" },
		{ "k", "\n", NULL, 0,
		  "etc/k:2: keys.file: \"\" is not a domain name: labels have 1 to 63 octets, "
		  "names "
		  "at most 255" },
		{ "k", "\nhello world\n", NULL, 0,
		  "etc/k:2: keys.file: neither a KEY record, nor a private key, nor a key clause" },
		{ "k", "k. IN KEY 512 3 8 AwEAAQ==\n", NULL, 0,
		  "etc/k:1: keys.file: not an HMAC key: its algorithm has to be 157, 161, 162, "
		  "163, "
		  "164 or 165" },
		{ "k", "k. IN KEY 512 3 163 \n", NULL, 0,
		  "etc/k:1: keys.file: is not base64; write what tsig-keygen or dnssec-keygen "
		  "printed" },
		{ "k", "key k {\n algorithm hmac-sha256\n secret AAAA; };", NULL, 0,
		  "etc/k:3: keys.file: \";\" is expected here, as in key \"name\" { algorithm ...; "
		  "secret \"...\"; };" },
		{ "k", "key k {\n algorithm hmac-sha256; };", NULL, 0,
		  "etc/k:2: keys.file: the key clause has no secret" },
		{ "k", "key k { secret AAAA; };", NULL, 0,
		  "etc/k:1: keys.file: the key clause has no algorithm" },
		{ "k", "key k { secret AAAA;", NULL, 0,
		  "etc/k:1: keys.file: a key clause has algorithm and secret, nothing else" },
		{ "k", "options { };", NULL, 0,
		  "etc/k:1: keys.file: only key clauses may stand in this file" },
		{ "k", "/* key {", NULL, 0, "etc/k:1: keys.file: the key file has no key" },
		{ "k.private", "Private-key-format: v1.3\nAlgorithm: 163\nKey: AAAA\n", NULL, 0,
		  "etc/k.private: keys.file: a private key file has to keep its name "
		  "Kname.+163+12345.private, since the key's name is only there; or use its .key "
		  "file" },
		{ "Kk.+163+1.private", "Private-key-format: v1.3\nKey: AAAA\n", NULL, 0,
		  "etc/Kk.+163+1.private: keys.file: the private key file has no line "
		  "\"Algorithm:\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_errors errors;
		struct config c;

		cr_assert(eq(int, key_load(&cases[i], &c, &errors), ERR_CONFIG), "%s",
		          cases[i].text);
		cr_expect(eq(str, errors.errors[0], (char *)cases[i].error));
	}
}
