/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_keys_test.c — the section keys. */
#include "control/config.h"

#include <string.h>

#include "tests/control/config_fixture.h"
#include "tests/test.h"

#define KEY(more) "keys: [{name: k, algorithm: hmac-sha256, secret: AAAAAAAA" more "}]\n"

TEST(config_keys, truncation_is_by_permission_only)
{
	struct config c;

	load_good(KEY(""), &c);
	cr_expect(eq(uint, c.keys[0].min_mac_len, 0));
	config_fini(&c);
	load_good(KEY(", truncated-mac: 16"), &c);
	cr_expect(eq(uint, c.keys[0].min_mac_len, 16));
	config_fini(&c);
}

TEST(config_keys, holds_many_keys)
{
	size_t cap = 200000;
	char *text = mem_new(cap);
	size_t len = (size_t)snprintf(text, cap, "keys:\n");
	struct config c;

	for (unsigned i = 0; i < 1000; i++) {
		len += (size_t)snprintf(text + len, cap - len,
		                        "- {name: key%u, algorithm: hmac-md5, secret: AAAA}\n", i);
	}
	load_good(text, &c);
	cr_expect(eq(sz, c.key_count, 1000));
	cr_expect(eq(int, c.keys[999].algorithm, TSIG_HMAC_MD5));
	config_fini(&c);
	free(text);
}

TEST(config_keys, refuses_bad_keys)
{
	static const struct error_case cases[] = {
		{ "keys: [{name: k, secret: AAAA}]",
		  "1: keys: a key needs an algorithm; or a file" },
		{ "keys:\n  - {algorithm: hmac-sha256, secret: AAAA}",
		  "2: keys: a key needs a name; or a file" },
		{ "keys: [{name: k, algorithm: hmac-sha256}]",
		  "1: keys: a key needs a secret; or a file" },
		{ "keys: [{name: k, algorithm: hmac-sha265, secret: AAAA}]",
		  "1: keys.algorithm: hmac-sha265 is not an algorithm for TSIG (did you mean "
		  "hmac-sha256?); write hmac-sha256, hmac-sha512, hmac-sha384, hmac-sha224, "
		  "hmac-sha1 or hmac-md5" },
		{ "keys: [{name: k, algorithm: c2VjcmV0, secret: hmac-sha256}]",
		  "1: keys.algorithm: is not an algorithm for TSIG; write hmac-sha256, "
		  "hmac-sha512, hmac-sha384, hmac-sha224, hmac-sha1 or hmac-md5" },
		{ "keys: [{name: k, algorithm: hmac-sha256, secret: 'c2VjcmV0 '}]",
		  "1: keys.secret: is not base64; write what tsig-keygen or dnssec-keygen "
		  "printed" },
		{ "keys: [{name: k, algorithm: hmac-sha256, secret: ''}]",
		  "1: keys.secret: has no value; write the secret in base64" },
		{ "keys: [{name: a..b, algorithm: hmac-sha256, secret: AAAA}]",
		  "1: keys.name: \"a..b\" is not a domain name: labels have 1 to 63 octets, names "
		  "at most 255" },
		{ "keys:\n- {name: k, algorithm: hmac-sha1, secret: AAAA}\n"
		  "- {name: K., algorithm: hmac-sha256, secret: AAAA}",
		  "3: keys: a second key with the name K." },
		{ KEY(", truncated-mac: 15"),
		  "1: keys: truncated-mac: 15 octets are not allowed for hmac-sha256; write 16 to "
		  "32 (RFC 8945 section 5.2.2.1)" },
		{ KEY(", truncated-mac: 33"),
		  "1: keys: truncated-mac: 33 octets are not allowed for hmac-sha256; write 16 to "
		  "32 (RFC 8945 section 5.2.2.1)" },
		{ KEY(", truncated-mac: 9"),
		  "1: keys.truncated-mac: \"9\" is too small; write a whole number from 10 to 64" },
		{ "keys: [{file: k.key, name: k}]",
		  "1: keys.file: the file has the key; take name, algorithm and secret out" },
		{ "keys: [{file: none.key}]",
		  "1: keys.file: cannot read etc/none.key: No such file or directory" },
		{ "keys: [c2VjcmV0]",
		  "1: keys: a map of settings is expected, such as {name: ...}" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

/* Whatever is wrong about an entry, its secret is not in what is said about it. */
TEST(config_keys, says_nothing_of_secrets)
{
	static const char *const texts[] = {
		"keys: [{name: k, algorithm: hmac-sha256, secret: U0VDUkVU!}]",
		"keys: [{name: k, algorithm: U0VDUkVU, secret: U0VDUkVU}]",
		"keys: [{name: k, algorithm: hmac-sha256, secret: [U0VDUkVU]}]",
		"keys: [{name: k, algorithm: hmac-sha256, secret: {U0VDUkVU: U0VDUkVU}}]",
		"keys: [{name: k, algorithm: hmac-sha256, secret: \"U0VDUkVU}]",
		"keys: [U0VDUkVU]",
		"keys: U0VDUkVU",
		"keys: [{name: k, algorithm: hmac-sha1, secret: U0VDUkVU, truncated-mac: 64}]",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config_errors errors;
		struct config c;

		cr_assert(eq(int, text_load(texts[i], &c, &errors), ERR_CONFIG), "%s", texts[i]);
		for (size_t k = 0; k < errors.error_count; k++) {
			cr_expect(strstr(errors.errors[k], "U0VDUkVU") == NULL, "%s",
			          errors.errors[k]);
		}
	}
}

TEST(config_keys, references_are_checked)
{
	static const struct error_case cases[] = {
		{ KEY("") "primaries: [{name: p, addresses: [192.0.2.1], key: kk}]",
		  "2: primaries.key: there is no key \"kk\"" },
		{ "keys: [{name: my_key, algorithm: hmac-sha1, secret: AAAA}]\n"
		  "primaries: [{name: p, addresses: [192.0.2.1], key: my-key}]",
		  "2: primaries.key: there is no key \"my-key\" (did you mean my_key?)" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

/* A key that is broken is told once, not again by all who use it. */
TEST(config_keys, a_broken_key_is_one_error)
{
	struct config_errors errors;
	struct config c;

	cr_expect(eq(int,
	             text_load("keys: [{name: k, algorithm: none, secret: AAAA}]\n"
	                       "primaries: [{name: p, addresses: [192.0.2.1], key: k}]\n",
	                       &c, &errors),
	             ERR_CONFIG));
	cr_expect(eq(sz, errors.error_count, 1));
}
