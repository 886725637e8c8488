/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bodies of answers say: pure reading, no request. Used by identity.c and updates.c;
 * what others may know of it is identity_read_info() in identity.h. Slices in, slices of the
 * same memory out. Any thread.
 */
#ifndef FEED_IDENTITY_READ_H
#define FEED_IDENTITY_READ_H

#include "feed/identity.h"
#include "json/value.h"

enum { INCARNATION_MAX = 64 };

/* The text, if it is one whole JSON value of the type (an object or array) with nothing but
 * white space around it; else an empty slice. */
tr_str body_whole(tr_str body, enum json_type type);

/* The body, if it is one whole object and not an error: some proxies give those a 200. */
tr_str body_document(tr_str body);

/* A member's text without quotes; empty: not there, or not fit for an incarnation. */
tr_str body_plain_member(tr_str object, tr_str key);

/* The `last_seq` of a whole answer of a feed, as raw JSON; empty: there is none. */
tr_str body_last_seq(tr_str body);

/* The server's own words on why it did not, else `otherwise`; at most 300 bytes. */
tr_str body_reason(tr_str body, const char *otherwise);

#endif
