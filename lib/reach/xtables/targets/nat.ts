import type { Address } from '../../../model/address.js';
import type { Family } from '../../../model/socket.js';
import {
  type End,
  netmap as map,
  type Ports,
  pickAddress,
  pickOne,
  pickPort,
} from '../../nftables/nat-range.js';
import { masqueradeAddresses, redirectAddress } from '../../nftables/own-address.js';
import type { Result, Run } from '../../nftables/run.js';
import { endAt, setUp } from '../../nftables/translation.js';
import { type Extension, option, options, type Reader } from '../extension.js';
import type { Info } from '../info.js';
import { masked } from '../print/address.js';

const FLAG = {
  addresses: 1,
  ports: 2,
  random: 4,
  persistent: 8,
  fullyRandom: 16,
  offset: 32,
} as const;

/** NF_NAT_RANGE_*, addresses and ports: struct nf_nat_ipv4_multi_range_compat, nf_nat_range, nf_nat_range2. */
interface Range {
  readonly flags: number;
  readonly first: Address;
  readonly last: Address;
  readonly ports: Ports;
}

const multi = 20;
const plain = 40;
const shifted = 44;

/** What each revision of a target tells its range by; the first is IPv4's own where it is `multi`. */
function rangeOf(info: Info, size: number, family: Family): Range | null {
  if (!info.isSized(size)) return null;
  // A range of the older form says how many there are, and there is always one.
  if (size === multi && (info.u32(0) !== 1 || family !== 'ipv4')) return null;
  const at = size === multi ? 4 : 0;
  const wide = size === multi ? 4 : 16;
  const flags = info.u32(at);
  if (flags >= 128) return null;
  const portsAt = at + 4 + 2 * wide;
  return {
    flags,
    first: info.address(at + 4, family),
    last: info.address(at + 4 + wide, family),
    ports: {
      flags,
      first: info.port(portsAt),
      last: info.port(portsAt + 2),
      base: size === shifted ? info.port(portsAt + 4) : 0,
    },
  };
}

function translate(
  run: Run,
  end: End,
  { flags, first, last, ports }: Range,
  own: Address | null = null,
): Result {
  const given = (flags & FLAG.addresses) !== 0;
  const address = own ?? (given ? pickAddress(run, first, last) : null);
  const port = (flags & FLAG.ports) === 0 ? null : pickPort(run, end, ports);
  if (address === 'unknown' || port === 'unknown') return 'unknown';
  return setUp(run, end, address, port);
}

/** DNAT and SNAT: nf_nat_setup_info with the range as it is. */
function reader(end: End, name: string): Reader {
  const sizes = [multi, plain, shifted];
  return (info, revision, { family }) => {
    const size = sizes[revision];
    const range = size === undefined ? null : rangeOf(info, size, family);
    return (
      range && {
        evaluate: (run) => translate(run, end, range),
        text: options(
          option(name, target(info, sizes[revision]!, range, family)),
          ...flagNames(range),
        ),
      }
    );
  };
}

export const dnat = reader('destination', '--to-destination');
export const snat = reader('source', '--to-source');

/** redirect_tg4, redirect_tg6: to this host itself. */
export const redirect: Reader = (info, revision, { family }) => {
  const range = revision === 0 ? rangeOf(info, family === 'ipv4' ? multi : plain, family) : null;
  return (
    range && {
      evaluate: (run) => {
        const own = redirectAddress(run.host, run.frame, run.hook);
        return own === null ? dropped(run) : translate(run, 'destination', range, own);
      },
      text: options(option('--to-ports', portText(range)), ...flagNames(range)),
    }
  );
};

/** masquerade_tg, masquerade_tg6: the address of the interface that the packet leaves by. */
export const masquerade: Reader = (info, revision, { family }) => {
  const range = revision === 0 ? rangeOf(info, family === 'ipv4' ? multi : plain, family) : null;
  return (
    range && {
      evaluate: (run) => {
        const addresses = masqueradeAddresses(run.host, run.frame);
        if (addresses.length === 0) return dropped(run);
        const own = pickOne(run, addresses);
        return own === 'unknown' ? 'unknown' : translate(run, 'source', range, own);
      },
      text: options(option('--to-ports', portText(range)), ...flagNames(range)),
    }
  );
};

/** netmap_tg4, netmap_tg6. */
export const netmap: Reader = (info, revision, { family }): Extension | null => {
  const range = revision === 0 ? rangeOf(info, family === 'ipv4' ? multi : plain, family) : null;
  if (!range) return null;
  const { first, last } = range;
  const mask: Address = {
    family,
    a: ~(first.a ^ last.a),
    b: ~(first.b ^ last.b),
    c: ~(first.c ^ last.c),
    d: ~(first.d ^ last.d),
  };
  const text = info.addressText(family === 'ipv4' ? 8 : 4, family);
  return {
    evaluate: (run) => {
      const end = endAt(run.hook);
      return setUp(run, end, map(run.frame, end, first, last), null);
    },
    text: option('--to', masked(text, mask)),
  };
};

function dropped(run: Run): Result {
  run.verdict = { code: 'drop' };
  return 'verdict';
}

/** `10.0.0.1-10.0.0.4:80-90/8080`. */
function target(info: Info, size: number, range: Range, family: Family): string {
  const wide = size === multi ? 4 : 16;
  const at = size === multi ? 8 : 4;
  const given = (range.flags & FLAG.addresses) !== 0;
  const [first, last] = [info.addressText(at, family), info.addressText(at + wide, family)];
  const addresses = !given ? '' : first === last ? first : `${first}-${last}`;
  const port = portText(range);
  if (port === null) return addresses;
  return given && family === 'ipv6' ? `[${addresses}]:${port}` : `${addresses}:${port}`;
}

function portText({ flags, ports: { first, last, base } }: Range): string | null {
  if ((flags & FLAG.ports) === 0) return null;
  const range = first === last ? `${first}` : `${first}-${last}`;
  return (flags & FLAG.offset) !== 0 ? `${range}/${base}` : range;
}

function flagNames({ flags }: Range): string[] {
  const names = [
    [FLAG.random, '--random'],
    [FLAG.fullyRandom, '--random-fully'],
    [FLAG.persistent, '--persistent'],
  ] as const;
  return names.map(([flag, name]) => ((flags & flag) !== 0 ? name : ''));
}
