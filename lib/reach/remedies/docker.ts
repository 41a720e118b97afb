import { formatAddress } from '../../model/address.js';
import type { NftChain } from '../../model/firewall.js';
import type { HostState } from '../../model/host-state.js';
import type { Socket } from '../../model/socket.js';
import type { Change, Failing } from './change.js';
import { movedSocket, withSocket } from './edit.js';
import type { Match } from './firewall/match.js';
import { withMatch } from './firewall/place.js';

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
  const rule = dockerRule(state, port, tcp);
  if (!rule && proxies.length === 0) return [];
  const onLoopback: Match = {
    family: 'ipv4',
    protocol: packet.protocol,
    source: null,
    destination: '127.0.0.1/32',
    port,
    portOf: 'destination',
  };
  return [
    {
      what: `Publish port ${port} of the container ${container} on 127.0.0.1 alone: docker run --publish ${published}${tcp ? '' : '/udp'}`,
      command: null,
      weight: 8,
      apply: (before) => {
        const moved = proxies.reduce(onOwnLoopback, before);
        return rule ? withMatch(moved, rule.chain, rule.place, onLoopback) : moved;
      },
    },
  ];
}

function onOwnLoopback(state: HostState, socket: Socket): HostState {
  const address = socket.family === 'ipv6' ? '::1' : '127.0.0.1';
  return withSocket(state, socket, movedSocket(state, socket, { address }));
}

/** The rule of chain DOCKER that asks for this port, as iptables-nft keeps it. */
function dockerRule(
  { firewall }: HostState,
  port: number,
  tcp: boolean,
): { chain: NftChain; place: number } | null {
  const chain = firewall.nftables?.chains.find(
    ({ family, table, name }) => family === 'ip' && table === 'nat' && name === 'DOCKER',
  );
  const hex = port.toString(16).padStart(4, '0');
  const place =
    chain?.rules.findIndex(({ expressions }) => {
      const compared = expressions.flatMap((one) => (one.kind === 'cmp' ? [one.data] : []));
      const translates = expressions.some(
        (one) => one.kind === 'nat' || (one.kind === 'target' && one.name === 'DNAT'),
      );
      return translates && compared.includes(hex) && compared.includes(tcp ? '06' : '11');
    }) ?? -1;
  return chain && place >= 0 ? { chain, place } : null;
}
