import type { Hook, NftChain } from '../../model/firewall.js';
import type { Missing } from '../../model/host-state.js';
import type { Family } from '../../model/socket.js';
import type { Course } from '../course.js';
import type { Device, Host } from '../host.js';
import type { Direction, Stage } from '../verdict.js';

/** Which legacy tables stand at a hook (net/ipv4/netfilter/iptable_*.c). */
const legacyTablesAt: Record<Hook, readonly string[]> = {
  ingress: [],
  egress: [],
  prerouting: ['raw', 'mangle', 'nat'],
  input: ['mangle', 'filter', 'security', 'nat'],
  forward: ['mangle', 'filter', 'security'],
  output: ['raw', 'mangle', 'nat', 'filter', 'security'],
  postrouting: ['mangle', 'nat'],
};

/** Hooks at which a packet may be given another address or way, not only be stopped. */
const redirecting: ReadonlySet<Hook> = new Set(['ingress', 'prerouting', 'output']);

const stageOf: Record<Hook, Stage> = {
  ingress: 'ingress',
  egress: 'output',
  prerouting: 'prerouting',
  input: 'input',
  forward: 'forward',
  output: 'output',
  postrouting: 'output',
};

/** XDP and tc programs of an interface on the way in cannot be read: what they do is unknown. */
export function passPrograms(course: Course, device: Device): void {
  const { link, name } = device;
  const meet = (program: 'xdp' | 'tc', how: string) =>
    course.doubt(
      'ingress',
      { code: 'opaque-program', interface: name, program, direction: 'request' },
      true,
      `${how} on ${name} sees the packet first and cannot be read`,
      'request',
    );
  if (link.xdp.length > 0) meet('xdp', `an XDP program (${link.xdp.join(', ')})`);
  if (link.tcIngress) meet('tc', 'a tc filter');
}

/** A tc program on the way out. */
export function passEgressPrograms(course: Course, device: Device): void {
  if (!device.link.tcEgress) return;
  course.doubt(
    'reply',
    { code: 'opaque-program', interface: device.name, program: 'tc', direction: 'reply' },
    false,
    `a tc filter on ${device.name} sees the answer and cannot be read`,
    'reply',
  );
}

/**
 * The firewall's hook for a packet. Rules are not evaluated: a chain that can do nothing is passed,
 * anything else makes what depends on it unknown.
 */
export function passHook(
  course: Course,
  hook: Hook,
  direction: Direction,
  device: Device | null,
): void {
  const { host, packet } = course;
  const stage = direction === 'reply' ? 'reply' : stageOf[hook];
  const redirects = direction === 'request' && redirecting.has(hook);
  const { nftables, legacy } = host.state.firewall;
  const seen = (backend: 'nftables' | 'legacy', chains: string[]) => {
    if (chains.length === 0) return;
    course.doubt(
      stage,
      { code: 'firewall-not-evaluated', backend, hook, direction, chains },
      redirects,
      `${backend === 'nftables' ? 'nftables' : 'iptables'} has a say at ${hook}: ${chains.join(', ')}`,
      direction,
    );
  };
  const unread = (backend: 'nftables' | 'legacy', missing: Missing) =>
    course.doubt(
      stage,
      {
        code: 'firewall-unreadable',
        backend,
        hook,
        direction,
        reason: missing.reason,
        remedy: missing.remedy,
      },
      redirects,
      `what ${backend === 'nftables' ? 'nftables' : 'iptables'} does at ${hook} could not be read`,
      direction,
    );
  if (nftables) seen('nftables', nftChainsAt(host, hook, packet.family, device));
  else unread('nftables', missingPart(host, 'nftables'));
  if (legacyTablesAt[hook].length === 0) return;
  if (legacy) {
    const loaded = legacy[packet.family].filter((name) => legacyTablesAt[hook].includes(name));
    seen(
      'legacy',
      loaded.map((name) => `table ${name}`),
    );
  } else unread('legacy', missingPart(host, 'legacy-tables'));
}

function missingPart(host: Host, what: Missing['what']): Missing {
  return (
    host.state.missing.find((missing) => missing.what === what) ?? {
      what,
      reason: 'the capture does not say why',
      remedy: 'capture again as root',
    }
  );
}

/** The base chains that a packet of this family meets at a hook and that may act on it. */
function nftChainsAt(host: Host, hook: Hook, family: Family, device: Device | null): string[] {
  const { nftables } = host.state.firewall;
  if (!nftables || nftables.chains.length === 0) return [];
  const dormant = new Set(
    nftables.tables
      .filter((table) => table.flags.includes('dormant'))
      .map((table) => `${table.family} ${table.name}`),
  );
  return nftables.chains
    .filter((chain) => meets(chain, hook, family, device))
    .filter((chain) => !dormant.has(`${chain.family} ${chain.table}`))
    .map((chain) => `${chain.family} ${chain.table} ${chain.name}`);
}

function meets(chain: NftChain, hook: Hook, family: Family, device: Device | null): boolean {
  const { base } = chain;
  if (base?.hook !== hook) return false;
  // A base chain without rules does what its policy says; accept is nothing.
  if (chain.rules === 0 && base.policy === 'accept') return false;
  switch (chain.family) {
    case 'ip':
      return family === 'ipv4';
    case 'ip6':
      return family === 'ipv6';
    case 'inet':
    case 'netdev':
      return hook !== 'ingress' || device === null || base.devices.includes(device.name);
    case 'bridge':
      // Frames that a bridge hands up to this host pass its own hooks first.
      return device !== null && device.seenAs !== device;
    case 'arp':
      return false;
  }
}
