/* SPDX-License-Identifier: MIT */
#include "dns/hmac_p.h"

#include "base/codec.h"
#include "tests/test.h"

/* The first three are RFC 2202's and RFC 4231's; all values come from Python's hmac module. */
static const struct {
	uint8_t fill; /* the key is this octet, repeated */
	const char *text;
	size_t key_len;
	size_t data_len; /* of `data`, repeated */
	const char *data;
} inputs[] = {
	{ 0x0b, NULL, 20, 8, "Hi There" },
	{ 0, "Jefe", 4, 28, "what do ya want for nothing?" },
	{ 0xaa, NULL, 131, 54, "Test Using Larger Than Block-Size Key - Hash Key First" },
	{ 'k', NULL, 64, 0, "" },
	{ 'k', NULL, 128, 1000, "a" },
	{ 1, NULL, 200, 63, "x" }, /* the key counts up from zero */
};

static const struct {
	enum tsig_algorithm algorithm;
	unsigned input;
	const char *want;
} cases[] = {
	{ TSIG_HMAC_MD5, 0, "5ccec34ea9656392457fa1ac27f08fbc" },
	{ TSIG_HMAC_MD5, 1, "750c783e6ab0b503eaa86e310a5db738" },
	{ TSIG_HMAC_MD5, 2, "bfecaf4efff90a3a668f3922fec3762d" },
	{ TSIG_HMAC_MD5, 3, "114eeb1da42af605666663c84c40d185" },
	{ TSIG_HMAC_MD5, 4, "3ad3770e9303dd793e56081adadd1d46" },
	{ TSIG_HMAC_MD5, 5, "3ecd2b4c67999a136bda07b2db54a114" },
	{ TSIG_HMAC_SHA1, 0, "b617318655057264e28bc0b6fb378c8ef146be00" },
	{ TSIG_HMAC_SHA1, 1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ TSIG_HMAC_SHA1, 2, "90d0dace1c1bdc957339307803160335bde6df2b" },
	{ TSIG_HMAC_SHA1, 3, "b6b10bf17b16d7347adb5e4149102761dbb3bcbd" },
	{ TSIG_HMAC_SHA1, 4, "d9b3c12e02f3ca8146b9b58cf6d1c1ebfd4fec7a" },
	{ TSIG_HMAC_SHA1, 5, "e9a78d3b25f593a25ddfd8b3b7ee28806bda1db5" },
	{ TSIG_HMAC_SHA224, 0, "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22" },
	{ TSIG_HMAC_SHA224, 1, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44" },
	{ TSIG_HMAC_SHA224, 2, "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e" },
	{ TSIG_HMAC_SHA224, 3, "314a61a5350a4dba6ab601bf6bbbdd5d5699a3c0dc9091376cc8f388" },
	{ TSIG_HMAC_SHA224, 4, "70e8080499beeee887576ba21fc7fe2cfb3188ab9c86002286239381" },
	{ TSIG_HMAC_SHA224, 5, "b16ebd7e49f7fe374f33b027e9858a6305f65605dfdc0479abc94528" },
	{ TSIG_HMAC_SHA256, 0, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ TSIG_HMAC_SHA256, 1, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ TSIG_HMAC_SHA256, 2, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	{ TSIG_HMAC_SHA256, 3, "83026a325aaee70e36cfe607536aa1054104ad1077c36134810d4ccded1ccd3b" },
	{ TSIG_HMAC_SHA256, 4, "ecead55ebe0e5b70ff8e7377c7cc4401b223fb1d9e83811c99bdc3504ec175cd" },
	{ TSIG_HMAC_SHA256, 5, "5e2ffd740038ddc0408052ae6e64eaa9921d85f26919bd050153ee60a05444ea" },
	{ TSIG_HMAC_SHA384, 0,
	  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
	  "faea9ea9076ede7f4af152e8b2fa9cb6" },
	{ TSIG_HMAC_SHA384, 1,
	  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
	  "8e2240ca5e69e2c78b3239ecfab21649" },
	{ TSIG_HMAC_SHA384, 2,
	  "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
	  "0c2ef6ab4030fe8296248df163f44952" },
	{ TSIG_HMAC_SHA384, 3,
	  "62629f8a0300744659368e3837de4a065694417e50d92bf74bfb78761bdc6f4e"
	  "ea121e2fc1c874c7b745f87911127a89" },
	{ TSIG_HMAC_SHA384, 4,
	  "2ec30b24cd439d032cc424409919f49b2a99f9565b78cc0ac7c94caf79964488"
	  "355c5179b14282a3cf3ce5e51aa4871a" },
	{ TSIG_HMAC_SHA384, 5,
	  "f8a186c69b3804200dc0014673c93d575d2e573a41a03d74783d9347f65042bb"
	  "e5f862b87a88057040e0f742134b89b0" },
	{ TSIG_HMAC_SHA512, 0,
	  "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	  "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
	{ TSIG_HMAC_SHA512, 1,
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	  "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
	{ TSIG_HMAC_SHA512, 2,
	  "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
	  "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
	{ TSIG_HMAC_SHA512, 3,
	  "f823594b6d4fae1f9ee7b1b8c6147e3f583bca04bc1f28f5a5554bce39df9f05"
	  "a0e2705bee4200848a39b4d68d084028c917e63781e844eb4c09f85e451407c5" },
	{ TSIG_HMAC_SHA512, 4,
	  "82a64d9c2ab78b32ea1d12755a01761be2d6552aa4146f0a3f1f6622cef10876"
	  "13286e932ee91610c9149b9ae8246b0c31496ad535b19c6ed4da427f7e71de82" },
	{ TSIG_HMAC_SHA512, 5,
	  "02fb49d9e23e6bd6b8ad9acf7c49d00eea394c8fb60f20a83c28a6ae43fd7aa2"
	  "01c901ce6bef4c5ecb0530f00b54d280db08561c867a429f895756f39c7689da" },
};

static struct bytes input_key(unsigned i, uint8_t key[static 256])
{
	for (unsigned k = 0; k < inputs[i].key_len; k++) {
		key[k] = inputs[i].text != NULL ? (uint8_t)inputs[i].text[k]
		         : inputs[i].fill == 1  ? (uint8_t)k
		                                : inputs[i].fill;
	}
	return bytes_of(key, inputs[i].key_len);
}

static struct bytes input_data(unsigned i, uint8_t data[static 1000])
{
	for (unsigned k = 0; k < inputs[i].data_len; k++) {
		data[k] = (uint8_t)inputs[i].data[k % strlen(inputs[i].data)];
	}
	return bytes_of(data, inputs[i].data_len);
}

static void expect_mac(struct hmac *h, unsigned i)
{
	uint8_t want[TSIG_MAC_MAX_LEN], got[TSIG_MAC_MAX_LEN];
	struct writer w = writer_of(want, sizeof(want));
	size_t len = hmac_end(h, got);

	cr_assert(eq(int, base16_decode(bytes_str(cases[i].want), &w), ERR_OK));
	cr_expect(eq(sz, len, w.len));
	cr_expect(eq(sz, len, hmac_len(cases[i].algorithm)));
	cr_expect(eq(int, memcmp(want, got, w.len), 0), "case %u", i);
}

TEST(hmac, gives_known_values_whole_and_in_pieces)
{
	struct hmac *h = hmac_new_empty();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t key[256], data[1000];
		struct bytes d = input_data(cases[i].input, data);
		struct hmac *pattern = hmac_new(cases[i].algorithm, input_key(cases[i].input, key));

		hmac_begin(h, pattern);
		hmac_add(h, d);
		expect_mac(h, i);
		/* Again from the same pattern, octet by octet, after a computation left undone. */
		hmac_begin(h, pattern);
		hmac_add(h, bytes_str("forgotten"));
		hmac_begin(h, pattern);
		for (size_t k = 0; k < d.len; k++) {
			hmac_add(h, bytes_of(d.at + k, 1));
		}
		expect_mac(h, i);
		hmac_free(pattern);
	}
	hmac_free(h);
	hmac_free(NULL);
}
