import { formatAddress } from '../../model/address.js';
import type { NftChain } from '../../model/firewall.js';
import type { HostState } from '../../model/host-state.js';
import type { NftExpression } from '../../model/ruleset.js';
import type { Socket } from '../../model/socket.js';
import type { LegacyChain } from '../../model/xtables.js';
import { Info } from '../xtables/info.js';
import type { Change, Failing } from './change.js';
import { movedSocket, withSocket } from './edit.js';

/* Ports that Docker publishes: a rule of its chain DOCKER translates them, and docker-proxy listens too. */

/** The port published on 127.0.0.1 alone. */
export function publishOnLoopback({ state, followed: { course } }: Failing): Change[] {
  const { asked, packet } = course;
  if (!asked || packet.family !== 'ipv4') return [];
  const container = formatAddress(packet.destination);
  const port = asked.destinationPort;
  const [tcp, published] = [
    packet.protocol === 'tcp',
    `127.0.0.1:${port}:${packet.destinationPort}`,
  ];
  const proxies = state.sockets.filter(
    ({ protocol, local, owners }) =>
      protocol === packet.protocol &&
      local.port === port &&
      owners?.some(({ name }) => name === 'docker-proxy'),
  );
  const rule = nftRule(state, port, tcp) ?? legacyRule(state, port, tcp);
  if (!rule && proxies.length === 0) return [];
  return [
    {
      what: `Publish port ${port} of the container ${container} on 127.0.0.1 alone: docker run --publish ${published}${tcp ? '' : '/udp'}`,
      command: null,
      weight: 8,
      apply: (before) => {
        const moved = proxies.reduce(onOwnLoopback, before);
        return rule ? forLoopbackAlone(moved, rule) : moved;
      },
    },
  ];
}

function onOwnLoopback(state: HostState, socket: Socket): HostState {
  const address = socket.family === 'ipv6' ? '::1' : '127.0.0.1';
  return withSocket(state, socket, movedSocket(state, socket, { address }));
}

/** Docker's rule for a published port: its place in the chain DOCKER of one table. */
interface DockerRule {
  readonly isLegacy: boolean;
  readonly place: number;
}

function nftRule({ firewall }: HostState, port: number, tcp: boolean): DockerRule | null {
  const chain = firewall.nftables?.chains.find(isDockers);
  const hex = port.toString(16).padStart(4, '0');
  const found = chain?.rules.findIndex(({ expressions }) => {
    const compared = expressions.flatMap((one) => (one.kind === 'cmp' ? [one.data] : []));
    const translates = expressions.some(
      (one) => one.kind === 'nat' || (one.kind === 'target' && one.name === 'DNAT'),
    );
    return translates && compared.includes(hex) && compared.includes(tcp ? '06' : '11');
  });
  return found === undefined || found < 0 ? null : { isLegacy: false, place: found };
}

function legacyRule({ firewall }: HostState, port: number, tcp: boolean): DockerRule | null {
  const nat = firewall.legacy?.ipv4.find(({ name }) => name === 'nat');
  const chain = nat?.chains?.find(({ name }) => name === 'DOCKER');
  const found = chain?.rules.findIndex(({ protocol, matches, target }) => {
    const translates = target && 'extension' in target && target.extension.name === 'DNAT';
    // The first and last port of the destination, as struct xt_tcp and xt_udp have them.
    const asked = matches.some(({ name, info }) => {
      const told = new Info(info);
      return name === (tcp ? 'tcp' : 'udp') && told.u16(4) === port && told.u16(6) === port;
    });
    return translates && asked && protocol?.number === (tcp ? 6 : 17);
  });
  return found === undefined || found < 0 ? null : { isLegacy: true, place: found };
}

function isDockers({ family, table, name }: NftChain): boolean {
  return family === 'ip' && table === 'nat' && name === 'DOCKER';
}

const loopback = '7f000001';

/** The rule asks for 127.0.0.1 as the destination too, as Docker writes it then. */
function forLoopbackAlone(state: HostState, { isLegacy, place }: DockerRule): HostState {
  const { firewall } = state;
  const { nftables, legacy } = firewall;
  if (isLegacy) {
    const destination = { address: loopback, mask: 'ffffffff', invert: false };
    const inChain = (chain: LegacyChain) =>
      chain.name === 'DOCKER'
        ? {
            ...chain,
            rules: chain.rules.map((rule, at) => (at === place ? { ...rule, destination } : rule)),
          }
        : chain;
    const ipv4 = legacy!.ipv4.map((table) =>
      table.name === 'nat' ? { ...table, chains: table.chains?.map(inChain) ?? null } : table,
    );
    return { ...state, firewall: { ...firewall, legacy: { ...legacy!, ipv4 } } };
  }
  const asksFirst: NftExpression[] = [
    { kind: 'payload', destination: 0, base: 'network', offset: 16, length: 4 },
    { kind: 'cmp', source: 0, op: 'eq', data: loopback },
  ];
  const chains = nftables!.chains.map((chain) => {
    if (!isDockers(chain)) return chain;
    const rules = chain.rules.map((rule, at) =>
      at === place ? { ...rule, expressions: [...asksFirst, ...rule.expressions] } : rule,
    );
    return { ...chain, rules };
  });
  return { ...state, firewall: { ...firewall, nftables: { ...nftables!, chains } } };
}
