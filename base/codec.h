/* SPDX-License-Identifier: MIT
 *
 * base/codec.h — octets as text: base16, base32hex and base64 (RFC 4648 §8, §7, §4).
 *
 * Encoders append to a writer and return false when it is full. Decoders take the whole text,
 * refuse anything but the alphabet (white space included) and append the octets. Base16 and
 * base32hex are read in either case; base16 is written in upper case, base32hex in lower case
 * without padding. */
#pragma once

#include "base/bytes.h"

MUST_USE bool base16_encode(struct bytes in, struct writer *out);
MUST_USE bool base32hex_encode(struct bytes in, struct writer *out);
MUST_USE bool base64_encode(struct bytes in, struct writer *out);

/* ERR_TEXT where the text is malformed, ERR_BUDGET where the writer is too small. */
MUST_USE enum err base16_decode(struct bytes text, struct writer *out);
MUST_USE enum err base32hex_decode(struct bytes text, struct writer *out);
MUST_USE enum err base64_decode(struct bytes text, struct writer *out);
