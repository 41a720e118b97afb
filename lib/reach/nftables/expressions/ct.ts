import { addressToBytes } from '../../../model/address.js';
import type { NftExpression } from '../../../model/ruleset.js';
import type { Tracking, Tuple } from '../connection.js';
import type { Frame } from '../frame.js';
import type { Evaluate, Result, Run } from '../run.js';

type Ct = Extract<NftExpression, { kind: 'ct' }>;

/** Keys of ct (enum nft_ct_keys). */
export const CT = {
  state: 0,
  direction: 1,
  status: 2,
  mark: 3,
  secmark: 4,
  expiration: 5,
  helper: 6,
  l3protocol: 7,
  src: 8,
  dst: 9,
  protocol: 10,
  protoSrc: 11,
  protoDst: 12,
  labels: 13,
  pkts: 14,
  bytes: 15,
  avgpkt: 16,
  zone: 17,
  eventmask: 18,
  srcIp: 19,
  dstIp: 20,
  srcIp6: 21,
  dstIp6: 22,
  id: 23,
} as const;

const stateBits = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;

/** nft_ct_get_eval. */
export function ct(expression: Ct): Evaluate {
  const { key, destination } = expression;
  return (run) => {
    const { frame, registers } = run;
    if (key === CT.state) {
      registers.storeNumber(destination, stateOf(frame));
      return 'continue';
    }
    const { tracking } = frame;
    return tracking === null || tracking === 'untracked'
      ? 'break'
      : load(run, expression, tracking);
  };
}

function stateOf({ tracking }: Frame): number {
  if (tracking === 'untracked') return stateBits.untracked;
  return tracking ? stateBits[tracking.state] : stateBits.invalid;
}

function load(run: Run, { key, destination: to, direction }: Ct, tracking: Tracking): Result {
  const { registers, frame } = run;
  const { connection } = tracking;
  const tuple = direction === 'reply' ? connection.reply : connection.original;
  switch (key) {
    case CT.direction:
      registers.storeNumber(to, tracking.direction === 'original' ? 0 : 1, 1);
      return 'continue';
    case CT.status:
      registers.storeNumber(to, connection.status);
      return 'continue';
    case CT.mark:
      registers.storeNumber(to, connection.mark);
      return 'continue';
    case CT.helper:
      return 'break';
    case CT.l3protocol:
      registers.storeNumber(to, frame.family === 'ipv4' ? 2 : 10, 1);
      return 'continue';
    case CT.protocol:
      registers.storeNumber(to, connection.protocol, 1);
      return 'continue';
    case CT.zone:
      registers.storeNumber(to, connection.zone, 2);
      return 'continue';
    case CT.src:
    case CT.srcIp:
    case CT.srcIp6:
      return storeAddress(run, to, key, tuple, 'source');
    case CT.dst:
    case CT.dstIp:
    case CT.dstIp6:
      return storeAddress(run, to, key, tuple, 'destination');
    case CT.protoSrc:
      run.peer?.port?.blur();
      registers.storeNetwork16(to, tuple.sourcePort);
      return 'continue';
    case CT.protoDst:
      run.peer?.port?.blur();
      registers.storeNetwork16(to, tuple.destinationPort);
      return 'continue';
    case CT.labels:
      registers.storeUnknown(to, 16);
      return 'continue';
    case CT.pkts:
    case CT.bytes:
    case CT.avgpkt:
      registers.storeUnknown(to, 8);
      return 'continue';
    case CT.secmark:
    case CT.expiration:
    case CT.id:
      registers.storeUnknown(to, 4);
      return 'continue';
    default:
      return 'unknown';
  }
}

function storeAddress(
  run: Run,
  to: number,
  key: number,
  tuple: Tuple,
  end: 'source' | 'destination',
): Result {
  const { family } = run.frame;
  if ((key === CT.srcIp || key === CT.dstIp) && family !== 'ipv4') return 'break';
  if ((key === CT.srcIp6 || key === CT.dstIp6) && family !== 'ipv6') return 'break';
  const bytes = addressToBytes(tuple[end]);
  run.registers.store(to, bytes);
  if (run.peer?.isPeer(tuple[end])) run.registers.holdPeer(to * 4, bytes.length, 0);
  return 'continue';
}

/** nft_ct_set_eval and nft_ct_set_zone_eval. */
export function ctSet({
  source,
  key,
  direction,
}: Extract<NftExpression, { kind: 'ct-set' }>): Evaluate {
  switch (key) {
    case CT.mark:
      return ({ frame: { tracking }, registers }) => {
        if (tracking === null || tracking === 'untracked') return 'continue';
        const mark = registers.number(source);
        if (mark === null) return 'unknown';
        tracking.connection.mark = mark;
        return 'continue';
      };
    case CT.zone:
      return ({ frame, registers }) => {
        // A packet that conntrack has seen keeps its zone.
        if (frame.tracking !== null) return 'continue';
        if (direction !== null || !registers.isKnown(source, 2)) return 'unknown';
        frame.zone = registers.bytes[source * 4]! + registers.bytes[source * 4 + 1]! * 256;
        return 'continue';
      };
    case CT.labels:
    case CT.secmark:
    case CT.eventmask:
      return () => 'continue';
    default:
      return () => 'unknown';
  }
}

/** nft_notrack_eval: a packet that conntrack has seen already stays tracked. */
export function notrack(): Evaluate {
  return ({ frame }) => {
    if (frame.tracking === null && !frame.hasTemplate) frame.tracking = 'untracked';
    return 'continue';
  };
}
