/* SPDX-License-Identifier: MIT
 *
 * base/err.c — codes, texts and classes of errors, from one table. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

static const struct {
	const char *code;
	const char *text;
} errs[ERR_COUNT] = {
	[ERR_OK] = { "ok", "no error" },
	[ERR_NO_MEMORY] = { "no-memory", "the system is out of memory" },
	[ERR_DISK_FULL] = { "disk-full", "no space left for the database" },
	[ERR_DISK_READONLY] = { "disk-readonly", "the database cannot be written" },
	[ERR_DISK] = { "disk", "the database's files cannot be used" },
	[ERR_STORE_CORRUPT] = { "store-corrupt", "stored data fails its checksum" },
	[ERR_SYSTEM] = { "system", "a system call failed" },
	[ERR_BUSY] = { "busy", "a queue is full" },
	[ERR_STOPPING] = { "stopping", "the daemon is stopping" },
	[ERR_WIRE_SHORT] = { "wire-short", "the message ends inside a field" },
	[ERR_WIRE_NAME] = { "wire-name", "malformed name" },
	[ERR_WIRE_RDATA] = { "wire-rdata", "rdata does not fit its type" },
	[ERR_WIRE_TRAILING] = { "wire-trailing", "octets after the end of the message" },
	[ERR_WIRE_HEADER] = { "wire-header", "impossible message header" },
	[ERR_WIRE_TSIG] = { "wire-tsig", "TSIG or OPT record out of place" },
	[ERR_PEER_REFUSED] = { "connection-refused", "connection refused" },
	[ERR_PEER_UNREACHABLE] = { "unreachable", "host or network unreachable" },
	[ERR_PEER_CLOSED] = { "closed", "connection closed by the peer" },
	[ERR_PEER_TIMEOUT] = { "timeout", "no answer in time" },
	[ERR_PEER_FORMERR] = { "formerr", "peer answered FORMERR" },
	[ERR_PEER_SERVFAIL] = { "servfail", "peer answered SERVFAIL" },
	[ERR_PEER_NXDOMAIN] = { "nxdomain", "peer answered NXDOMAIN" },
	[ERR_PEER_NOTIMP] = { "notimp", "peer answered NOTIMP" },
	[ERR_PEER_REFUSED_QUERY] = { "refused", "peer answered REFUSED" },
	[ERR_PEER_NOTAUTH] = { "notauth", "peer is not authoritative" },
	[ERR_PEER_RCODE] = { "rcode", "peer answered with an unexpected RCODE" },
	[ERR_PEER_MISMATCH] = { "mismatch", "the answer does not fit the question" },
	[ERR_TSIG_BADKEY] = { "tsig-badkey", "TSIG key unknown (BADKEY)" },
	[ERR_TSIG_BADSIG] = { "tsig-badsig", "TSIG signature does not verify (BADSIG)" },
	[ERR_TSIG_BADTIME] = { "tsig-badtime", "TSIG time outside of fudge (BADTIME)" },
	[ERR_TSIG_BADTRUNC] = { "tsig-badtrunc", "TSIG MAC truncated too far (BADTRUNC)" },
	[ERR_TSIG_MISSING] = { "tsig-missing", "the answer is not signed" },
	[ERR_XFR_ORDER] = { "xfr-order", "records of the transfer are out of order" },
	[ERR_XFR_TRAILING] = { "xfr-trailing", "records after the final SOA" },
	[ERR_XFR_EMPTY] = { "xfr-empty", "a message of the transfer has no records" },
	[ERR_XFR_MISMATCH] = { "xfr-mismatch", "the difference does not fit our version" },
	[ERR_BUDGET] = { "budget", "memory budget exceeded" },
	[ERR_LIMIT_BYTES] = { "limit-bytes", "more octets than transfer-bytes allows" },
	[ERR_LIMIT_RECORDS] = { "limit-records", "more records than transfer-records allows" },
	[ERR_LIMIT_TIME] = { "limit-time", "took longer than transfer-time allows" },
	[ERR_LIMIT_IDLE] = { "limit-idle", "idle for longer than idle-time allows" },
	[ERR_ZONE_NO_SOA] = { "zone-no-soa", "zone does not have exactly one SOA at its apex" },
	[ERR_ZONE_NO_NS] = { "zone-no-ns", "zone has no NS records at its apex" },
	[ERR_ZONE_CNAME] = { "zone-cname", "CNAME beside other data" },
	[ERR_ZONE_OUTSIDE] = { "zone-outside", "owner name outside of the zone" },
	[ERR_ZONE_CLASS] = { "zone-class", "record of another class" },
	[ERR_ZONE_TYPE] = { "zone-type", "record type that cannot stand in a zone" },
	[ERR_SERIAL_OLD] = { "serial-old", "the primary's serial is older than ours" },
	[ERR_NOT_ALLOWED] = { "not-allowed", "not on the access list" },
	[ERR_NOT_FOUND] = { "not-found", "not found" },
	[ERR_CONFIG] = { "config", "wrong setting" },
	[ERR_TEXT] = { "text", "unreadable presentation form" },
	[ERR_SERIAL_BACK] = { "serial-back",
	                      "the primary went back to an older version, which is kept here" },
	[ERR_GUARD_SHRUNK] = { "guard-shrunk", "the zone lost too many of its records" },
	[ERR_GUARD_ZONEMD] = { "guard-zonemd", "the zone does not fit its ZONEMD digest" },
	[ERR_GUARD_RECORDS] = { "guard-records", "more records than max-records allows" },
	[ERR_GUARD_BYTES] = { "guard-bytes", "more octets than max-bytes allows" },
};

enum err_class err_class(enum err e)
{
	if (e == ERR_OK) {
		return ERR_CLASS_NONE;
	}
	if (e < ERR_WIRE_SHORT) {
		return ERR_CLASS_LOCAL;
	}
	if (e < ERR_PEER_REFUSED) {
		return ERR_CLASS_WIRE;
	}
	return e < ERR_BUDGET ? ERR_CLASS_PEER : ERR_CLASS_POLICY;
}

const char *err_code(enum err e)
{
	assert(e < ERR_COUNT && errs[e].code != NULL);
	return errs[e].code;
}

const char *err_text(enum err e)
{
	assert(e < ERR_COUNT && errs[e].text != NULL);
	return errs[e].text;
}

enum err err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return ERR_OK;
	case ENOMEM:
	case ENOBUFS:
		return ERR_NO_MEMORY;
	case ENOSPC:
	case EDQUOT:
		return ERR_DISK_FULL;
	case EROFS:
		return ERR_DISK_READONLY;
	case ECONNREFUSED:
		return ERR_PEER_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return ERR_PEER_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return ERR_PEER_CLOSED;
	case ETIMEDOUT:
	case ETIME:
		return ERR_PEER_TIMEOUT;
	case EAGAIN:
	case EADDRINUSE:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}

enum err err_from_rcode(uint16_t rcode)
{
	static const enum err by_rcode[] = {
		ERR_OK,          ERR_PEER_FORMERR,       ERR_PEER_SERVFAIL, ERR_PEER_NXDOMAIN,
		ERR_PEER_NOTIMP, ERR_PEER_REFUSED_QUERY,
	};

	if (rcode < sizeof(by_rcode) / sizeof(by_rcode[0])) {
		return by_rcode[rcode];
	}
	return rcode == 9 ? ERR_PEER_NOTAUTH : ERR_PEER_RCODE;
}
