import { type Address, formatAddress } from '../../../model/address.js';
import type { Family } from '../../../model/socket.js';
import { DST_NAT, SRC_NAT, type Tracking } from '../../nftables/connection.js';
import type { Frame } from '../../nftables/frame.js';
import type { Result, Run } from '../../nftables/run.js';
import { holds, option, options, type Reader } from '../extension.js';
import type { Info } from '../info.js';
import { isMasked, within } from '../packet.js';
import { askIfMasked } from '../peer-questions.js';
import { masked } from '../print/address.js';

/** Bits of match_flags and invert_flags (XT_CONNTRACK_*). */
const BIT = {
  state: 1,
  protocol: 2,
  originalSource: 4,
  originalDestination: 8,
  replySource: 16,
  replyDestination: 32,
  status: 64,
  expires: 128,
  originalSourcePort: 256,
  originalDestinationPort: 512,
  replySourcePort: 1024,
  replyDestinationPort: 2048,
  direction: 4096,
} as const;

const ALIAS = 8192; // XT_CONNTRACK_STATE_ALIAS

/** XT_CONNTRACK_STATE_*, in the order in which iptables-save names them. */
const STATES = {
  INVALID: 1,
  NEW: 8,
  RELATED: 4,
  ESTABLISHED: 2,
  UNTRACKED: 256,
  SNAT: 64,
  DNAT: 128,
} as const;

const STATUSES = { NONE: 0, EXPECTED: 1, SEEN_REPLY: 2, ASSURED: 4, CONFIRMED: 8 } as const;

const ends = [
  { bit: BIT.originalSource, at: 0, of: 'original', end: 'source', name: '--ctorigsrc' },
  { bit: BIT.originalDestination, at: 32, of: 'original', end: 'destination', name: '--ctorigdst' },
  { bit: BIT.replySource, at: 64, of: 'reply', end: 'source', name: '--ctreplsrc' },
  { bit: BIT.replyDestination, at: 96, of: 'reply', end: 'destination', name: '--ctrepldst' },
] as const;

const portEnds = [
  {
    bit: BIT.originalSourcePort,
    at: 138,
    high: 154,
    of: 'original',
    end: 'sourcePort',
    name: '--ctorigsrcport',
  },
  {
    bit: BIT.originalDestinationPort,
    at: 140,
    high: 156,
    of: 'original',
    end: 'destinationPort',
    name: '--ctorigdstport',
  },
  {
    bit: BIT.replySourcePort,
    at: 142,
    high: 158,
    of: 'reply',
    end: 'sourcePort',
    name: '--ctreplsrcport',
  },
  {
    bit: BIT.replyDestinationPort,
    at: 144,
    high: 160,
    of: 'reply',
    end: 'destinationPort',
    name: '--ctrepldstport',
  },
] as const;

const sizes = [0, 152, 156, 164] as const;

interface Wanted {
  readonly match: number;
  readonly invert: number;
  readonly states: number;
  readonly statuses: number;
  readonly protocol: number;
  readonly addresses: readonly ((typeof ends)[number] & { value: Address; mask: Address })[];
  readonly ports: readonly ((typeof portEnds)[number] & { from: number; to: number })[];
}

/** struct xt_conntrack_mtinfo1, 2 and 3; conntrack_mt. */
export const conntrack: Reader = (info, revision, { family }) => {
  if (revision < 1 || revision > 3 || !info.isSized(sizes[revision]!)) return null;
  const wanted = read(info, revision, family);
  const evaluated = (run: Run) => evaluate(run, wanted);
  // iptables(8) has its older `-m state` done by this one.
  if ((wanted.match & ALIAS) !== 0)
    return { name: 'state', evaluate: evaluated, text: stateText(wanted, '--state') };
  return { evaluate: evaluated, text: textOf(wanted, info) };
};

function read(info: Info, revision: number, family: Family): Wanted {
  const match = info.u16(146);
  const narrow = revision === 1;
  return {
    match,
    invert: info.u16(148),
    states: narrow ? info.u8(150) : info.u16(150),
    statuses: narrow ? info.u8(151) : info.u16(152),
    protocol: info.u16(136),
    addresses: ends
      .filter(({ bit }) => (match & bit) !== 0)
      .map((one) => ({
        ...one,
        value: info.address(one.at, family),
        mask: info.address(one.at + 16, family),
      })),
    ports: portEnds
      .filter(({ bit }) => (match & bit) !== 0)
      .map((one) => {
        const from = revision === 3 ? info.u16(one.at) : info.port(one.at);
        return { ...one, from, to: revision === 3 ? Math.max(from, info.u16(one.high)) : from };
      }),
  };
}

function evaluate(run: Run, wanted: Wanted): Result {
  const { frame } = run;
  const { match, states } = wanted;
  const asks = (bit: number) => (match & bit) !== 0;
  // What these say of a connection that is only prepared is not followed.
  if (frame.hasTemplate) return 'may';
  if (asks(BIT.state) && !fits(wanted, BIT.state, (states & stateOf(frame)) !== 0)) return 'break';
  const { tracking } = frame;
  // What is not tracked has a state, and nothing else.
  if (tracking === null || tracking === 'untracked') return holds(asks(BIT.state));
  if (!fitsTuples(run, wanted, tracking)) return 'break';
  const { connection, direction } = tracking;
  if (asks(BIT.direction) && !fits(wanted, BIT.direction, direction === 'original')) return 'break';
  if (asks(BIT.protocol) && !fits(wanted, BIT.protocol, connection.protocol === wanted.protocol))
    return 'break';
  if (asks(BIT.status) && !fits(wanted, BIT.status, hasStatus(wanted.statuses, connection.status)))
    return 'break';
  return asks(BIT.expires) ? 'may' : 'continue';
}

const fits = ({ invert }: Wanted, bit: number, answer: boolean): boolean =>
  answer !== ((invert & bit) !== 0);

function hasStatus(wanted: number, status: number): boolean {
  return (wanted & status) !== 0;
}

/** XT_CONNTRACK_STATE_BIT, and what NAT adds to it. */
export function stateOf({ tracking }: Frame, untracked: number = STATES.UNTRACKED): number {
  if (tracking === 'untracked') return untracked;
  if (tracking === null) return STATES.INVALID;
  const { connection, state } = tracking;
  const own = { new: STATES.NEW, established: STATES.ESTABLISHED, related: STATES.RELATED }[state];
  return (
    own | (connection.has(SRC_NAT) ? STATES.SNAT : 0) | (connection.has(DST_NAT) ? STATES.DNAT : 0)
  );
}

function fitsTuples(run: Run, wanted: Wanted, { connection }: Tracking): boolean {
  for (const { bit, of, end, value, mask } of wanted.addresses) {
    askIfMasked(run, connection[of][end], mask, value);
    if (!fits(wanted, bit, isMasked(connection[of][end], mask, value))) return false;
  }
  if (wanted.ports.length > 0) run.peer?.port?.blur();
  return wanted.ports.every(({ bit, of, end, from, to }) =>
    fits(wanted, bit, within(connection[of][end], from, to)),
  );
}

function stateText({ states, invert }: Wanted, name: string): string {
  return option(name, namesOf(states, STATES), (invert & BIT.state) !== 0);
}

function textOf(wanted: Wanted, info: Info): string {
  const { match, invert, statuses, protocol } = wanted;
  const has = (bit: number) => (match & bit) !== 0;
  const inverted = (bit: number) => (invert & bit) !== 0;
  const say = (bit: number, name: string, value: string | number) =>
    has(bit) ? option(name, value, inverted(bit)) : '';
  return options(
    has(BIT.state) ? stateText(wanted, '--ctstate') : '',
    say(BIT.protocol, '--ctproto', protocol),
    ...wanted.addresses.map(({ bit, name, value, mask }) =>
      say(bit, name, masked(formatAddress(value), mask)),
    ),
    ...wanted.ports.map(({ bit, name, from, to }) =>
      say(bit, name, from === to ? from : `${from}:${to}`),
    ),
    say(BIT.status, '--ctstatus', namesOf(statuses, STATUSES)),
    say(BIT.expires, '--ctexpire', `${info.u32(128)}:${info.u32(132)}`),
    has(BIT.direction) ? option('--ctdir', inverted(BIT.direction) ? 'REPLY' : 'ORIGINAL') : '',
  );
}

/** The names of the bits that are set. */
export function namesOf(bits: number, names: Readonly<Record<string, number>>): string {
  const set = Object.entries(names).filter(([, bit]) => (bits & bit) !== 0);
  return set.length > 0 ? set.map(([name]) => name).join(',') : 'NONE';
}
