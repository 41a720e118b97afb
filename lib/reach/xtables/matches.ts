import type { Reader } from './extension.js';
import { addrtype } from './matches/addrtype.js';
import { comment } from './matches/comment.js';
import { conntrack } from './matches/conntrack.js';
import { icmp, icmp6 } from './matches/icmp.js';
import { iprange } from './matches/iprange.js';
import { length } from './matches/length.js';
import { mac } from './matches/mac.js';
import { connmark, mark } from './matches/mark.js';
import { connlimit, hashlimit, limit, quota, recent, statistic, time } from './matches/meters.js';
import { multiport } from './matches/multiport.js';
import { owner } from './matches/owner.js';
import { physdev } from './matches/physdev.js';
import { pkttype } from './matches/pkttype.js';
import { rpfilter } from './matches/rpfilter.js';
import { rt } from './matches/rt.js';
import { set } from './matches/set.js';
import { socket } from './matches/socket.js';
import { state } from './matches/state.js';
import { tcp } from './matches/tcp.js';
import { dscp, tos } from './matches/tos.js';
import { hl, ttl } from './matches/ttl.js';
import { udp } from './matches/udp.js';

/** By the kernel's name. */
export const matches: ReadonlyMap<string, Reader> = new Map(
  Object.entries({
    addrtype,
    comment,
    connlimit,
    connmark,
    conntrack,
    dscp,
    hashlimit,
    hl,
    icmp,
    icmp6,
    iprange,
    length,
    limit,
    mac,
    mark,
    multiport,
    owner,
    physdev,
    pkttype,
    quota,
    recent,
    rpfilter,
    rt,
    set,
    socket,
    state,
    statistic,
    tcp,
    time,
    tos,
    ttl,
    udp,
  }),
);
