import {
  type Address,
  isLinkLocal,
  isLoopback,
  isMulticast,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixHolds,
  sameAddress,
} from '../model/address.js';
import type { Found } from './fib.js';
import type { Device, Host, OwnAddress } from './host.js';

const linkScope = 253; // RT_SCOPE_LINK
const scopes: Record<string, number> = {
  global: 0,
  site: 200,
  link: linkScope,
  host: 254,
  nowhere: 255,
};

/**
 * The IPv4 source address for a packet that has none and leaves by a route without a preferred one
 * (fib_info_update_nhc_saddr, inet_select_addr in net/ipv4/devinet.c): the first address of the
 * device in the gateway's network, else the device's first, else one of another device. Null for none.
 */
export function selectSourceIpv4(host: Host, { route, nexthop, device }: Found): Address | null {
  const gateway = nexthop?.gateway ? parseAddress(nexthop.gateway) : null;
  return device && selectOnDevice(host, device, gateway, route.scope);
}

/** inet_select_addr: an address of a device that reaches as far as the scope, else another device's. */
export function selectOnDevice(
  host: Host,
  device: Device,
  gateway: Address | null,
  widest: number = linkScope,
): Address | null {
  const fits = ({ address, entry }: OwnAddress, least: number): boolean => {
    if (address.family !== 'ipv4' || entry.flags.includes('secondary')) return false;
    const scope = scopes[entry.scope] ?? Number(entry.scope);
    return Math.min(scope, least) <= widest;
  };
  const here = host.own.filter((own) => {
    const least = device.routeLocalnet ? linkScope : 255;
    return own.device === device && device.hasIpv4 && fits(own, least);
  });
  const near = gateway && here.find(({ prefix }) => prefixHolds(prefix, gateway));
  if (near) return near.address;
  if (here[0]) return here[0].address;
  const elsewhere = host.own.find(
    (own) => own.device.hasIpv4 && own.entry.scope !== 'link' && fits(own, 255),
  );
  return elsewhere?.address ?? null;
}

/** The default policy table of RFC 6724 as net/ipv6/addrlabel.c has it; the longest prefix counts. */
const labelled = [
  ['::1/128', 0],
  ['::ffff:0:0/96', 4],
  ['::/96', 3],
  ['2001::/32', 6],
  ['2001:10::/28', 7],
  ['3ffe::/16', 12],
  ['2002::/16', 2],
  ['fec0::/10', 11],
  ['fc00::/7', 5],
] as const;

/** The same, parsed when first needed: importing is to cost next to nothing. */
let labels: { prefix: Prefix; label: number }[] | undefined;

const defaultLabel = 1;

/**
 * The IPv6 source address for a packet that has none (ipv6_dev_get_saddr in net/ipv6/addrconf.c):
 * RFC 6724, rules 1 to 3, 5, 6 and 8, and optimistic ones last. Null where no interface has a fitting one.
 */
export function selectSourceIpv6(
  host: Host,
  destination: Address,
  out: Device | null,
): Address | null {
  const onlyOut = out !== null && (isMulticast(destination) || isLinkLocal(destination));
  const fits = (own: OwnAddress) =>
    own.address.family === 'ipv6' &&
    isReady(own) &&
    !isMulticast(own.address) &&
    !(onlyOut && own.device !== out);
  // The first rule: nothing is preferred to the destination itself.
  const itself = host.own.find((own) => sameAddress(own.address, destination) && fits(own));
  if (itself) return itself.address;
  let best: OwnAddress | null = null;
  for (const own of host.own) {
    if (!fits(own)) continue;
    if (best === null || better(host, own, best, destination, out)) best = own;
  }
  return best?.address ?? null;
}

/** Does an IPv6 address work: on a device that is up, and found to be nobody else's (ipv6_chk_addr)? */
export function isReady({ device, entry }: OwnAddress): boolean {
  const { flags } = entry;
  if (!device.link.up || flags.includes('dadfailed')) return false;
  return !flags.includes('tentative') || flags.includes('optimistic');
}

/** Is one candidate preferred to another? The rules in their order, the first that tells decides. */
function better(
  host: Host,
  one: OwnAddress,
  other: OwnAddress,
  destination: Address,
  out: Device | null,
): boolean {
  for (let rule = 2; rule <= 9; rule++) {
    const difference =
      score(host, rule, one, destination, out) - score(host, rule, other, destination, out);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** How an address does by one rule of RFC 6724, and by 9: not optimistic; by the others all do alike. */
function score(
  host: Host,
  rule: number,
  own: OwnAddress,
  destination: Address,
  out: Device | null,
): number {
  switch (rule) {
    case 2:
      return scopeRank(scopeOf(own.address), scopeOf(destination));
    case 3:
      return own.entry.flags.includes('deprecated') || isAvoided(host, own) ? 0 : 1;
    case 5:
      return out === null || own.device === out ? 1 : 0;
    case 6:
      return labelOf(own.address) === labelOf(destination) ? 1 : 0;
    case 8:
      return Math.min(sharedBits(own.address, destination), own.entry.prefixLength);
    case 9:
      return own.entry.flags.includes('optimistic') ? 0 : 1;
    default:
      return 0;
  }
}

/** An optimistic address, where use_optimistic does not make it as good as others (ipv6_use_optimistic_addr). */
export function isAvoided(host: Host, { device, entry }: OwnAddress): boolean {
  if (!entry.flags.includes('optimistic')) return false;
  const on = (name: 'optimistic_dad' | 'use_optimistic') =>
    host.setting(`net.ipv6.conf.all.${name}`, 0) !== 0 || (device.link.ipv6?.[name] ?? 0) !== 0;
  return !(on('optimistic_dad') && on('use_optimistic'));
}

/** Link-local and loopback are of the link's scope; unique local addresses are global to the kernel. */
function scopeOf(address: Address): number {
  if (isMulticast(address)) return (address.a >>> 16) & 0xf;
  return isLinkLocal(address) || isLoopback(address) ? 2 : 14;
}

/** Rule 2: the smallest scope that is enough; below that, the larger the better. */
function scopeRank(scope: number, wanted: number): number {
  return scope >= wanted ? 256 - scope : scope - 128;
}

function labelOf(address: Address): number {
  labels ??= labelled.map(([text, label]) => ({ prefix: parsePrefix(text)!, label }));
  return labels.find(({ prefix }) => prefixHolds(prefix, address))?.label ?? defaultLabel;
}

function sharedBits(one: Address, other: Address): number {
  const words = [one.a ^ other.a, one.b ^ other.b, one.c ^ other.c, one.d ^ other.d];
  const index = words.findIndex((word) => word !== 0);
  return index < 0 ? 128 : index * 32 + Math.clz32(words[index]!);
}
