import { type Address, sameAddress } from '../../model/address.js';
import type { Hook } from '../../model/firewall.js';
import { DST_NAT, DST_NAT_DONE, SRC_NAT, SRC_NAT_DONE } from './connection.js';
import type { Frame } from './frame.js';
import type { Result, Run } from './run.js';

/** Which end of a packet NAT changes at a hook (HOOK2MANIP). */
export function endAt(hook: Hook): 'source' | 'destination' {
  return hook === 'prerouting' || hook === 'output' ? 'destination' : 'source';
}

/** Has it been settled for this connection what becomes of that end? */
export function isSettled(frame: Frame, end: 'source' | 'destination'): boolean {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked') return true;
  return tracking.connection.has(end === 'source' ? SRC_NAT_DONE : DST_NAT_DONE);
}

/** nf_nat_setup_info: the connection's answers will come from, or go to, somebody else. */
export function setUp(
  run: Run,
  end: 'source' | 'destination',
  address: Address | null,
  port: number | null,
): Result {
  const { tracking } = run.frame;
  if (tracking === null || tracking === 'untracked') return 'unknown';
  const { connection } = tracking;
  const { reply } = connection;
  const destination = end === 'destination';
  const nowAddress = destination ? reply.source : reply.destination;
  const nowPort = destination ? reply.sourcePort : reply.destinationPort;
  const newAddress = address ?? nowAddress;
  const newPort = port ?? nowPort;
  if (!sameAddress(newAddress, nowAddress) || newPort !== nowPort) {
    if (destination) {
      reply.source = newAddress;
      reply.sourcePort = newPort;
    } else {
      reply.destination = newAddress;
      reply.destinationPort = newPort;
    }
    connection.status |= destination ? DST_NAT : SRC_NAT;
  }
  connection.status |= destination ? DST_NAT_DONE : SRC_NAT_DONE;
  run.verdict = { code: 'accept' };
  return 'verdict';
}

/** No rule translates: what is there is kept (nf_nat_alloc_null_binding). */
export function settle(frame: Frame, end: 'source' | 'destination'): void {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked') return;
  tracking.connection.status |= end === 'source' ? SRC_NAT_DONE : DST_NAT_DONE;
}

/** nf_nat_packet: the packet is rewritten as its connection says; what was done to the request is undone for the reply. */
export function translate(frame: Frame, end: 'source' | 'destination'): void {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked') return;
  const { connection, direction } = tracking;
  const { original, reply } = connection;
  if (direction === 'original') {
    if (end === 'destination' && connection.has(DST_NAT))
      frame.setDestination(reply.source, reply.sourcePort);
    if (end === 'source' && connection.has(SRC_NAT))
      frame.setSource(reply.destination, reply.destinationPort);
  } else {
    if (end === 'destination' && connection.has(SRC_NAT))
      frame.setDestination(original.source, original.sourcePort);
    if (end === 'source' && connection.has(DST_NAT))
      frame.setSource(original.destination, original.destinationPort);
  }
}
