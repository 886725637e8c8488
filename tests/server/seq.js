// SPDX-License-Identifier: Apache-2.0
//
// The opaque update sequences. A token names the incarnation of a database and one position in each
// of its two shards, scrambled, so that no test can read, compare or forge one. `prefix` is the same
// for all seqs of an incarnation; the payload carries a check, so that garbage is told from the seq
// of another database (which CouchDB accepts, and starts over).
'use strict';
const crypto = require('crypto');

const FORM = /^\d+-g1AAAA([\w-]{92})([\w-]{24})$/;
const BYTES = 18;

/** The part all seqs of one incarnation share: 92 characters. */
function prefixOf(uuid) {
    return crypto
        .createHash('sha512')
        .update(`seq:${uuid}`)
        .digest('base64url')
        .concat('xMwZFmUBAAT')
        .slice(0, 92)
        .padEnd(92, 'A');
}

function fnv(text) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++)
        hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return hash >>> 0;
}

function scramble(bytes, seed) {
    let state = seed || 1;
    for (let i = 2; i < BYTES; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bytes[i] ^= state & 0xff;
    }
}

function checksum(bytes) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < 14; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    return hash >>> 0;
}

class SeqCoder {
    constructor(uuid) {
        this.prefix = prefixOf(uuid);
        this.seed = fnv(this.prefix);
        this.bytes = Buffer.alloc(BYTES);
    }

    /** Both positions are the store's; equal ones say "everything up to here". */
    encode(a, b, salt = (Math.random() * 65536) | 0) {
        const bytes = this.bytes;
        bytes.writeUInt16BE(salt, 0);
        bytes.writeUIntBE(a, 2, 6);
        bytes.writeUIntBE(b, 8, 6);
        bytes.writeUInt32BE(checksum(bytes), 14);
        scramble(bytes, this.seed ^ salt);
        return `${Math.ceil((a + b) / 2)}-g1AAAA${this.prefix}${bytes.toString('base64url')}`;
    }

    /** The seq in information on a database: always the same text for a position. */
    encodeStill(at) {
        return this.encode(at, at, 0);
    }

    /** Positions [a, b]; [0, 0] for a seq of another incarnation; null when it is no seq. */
    decode(text) {
        const match = FORM.exec(text);
        if (!match) return null;
        const bytes = Buffer.from(match[2], 'base64url');
        scramble(bytes, fnv(match[1]) ^ bytes.readUInt16BE(0));
        if (checksum(bytes) !== bytes.readUInt32BE(14)) return null;
        if (match[1] !== this.prefix) return [0, 0];
        return [bytes.readUIntBE(2, 6), bytes.readUIntBE(8, 6)];
    }
}

/** Which of the two shards a document lives in. */
function shardOf(id) {
    return fnv(id) & 1;
}

module.exports = { SeqCoder, shardOf };
