import { capture } from '#earshot/kernel/capture.js';
import { formatAddress, isLinkLocal, parseAddress, parsePrefix } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import { addressFromNumber, prefixRange } from '#earshot/model/prefix-set.js';
import { type Exposure, exposure } from '#earshot/reach/exposure.js';
import { hostOf } from '#earshot/reach/host.js';
import { keyTo } from '#earshot/reach/policy.js';
import { follow } from '#earshot/reach/trace.js';
import { Lab, type LabFlow } from '../harness.js';
import type { FlowResult } from '../sockets.js';
import type { HostDescription } from '../topology.js';
import { setUp } from './hold.js';
import { isNobody } from './hold-exposure.js';
import { askingByGateway } from './outside.js';
import type { Random } from './random.js';
import type { Scenario } from './scenario.js';

/*
 * The proof of exposure's sets: on the host of a scenario, with one machine on each link that has every
 * address there is, peers are drawn from the rows and really connect.
 */

/** What came of connecting peers. */
export interface ConnectedPeers {
  drawn: number;
  /** Peers who fared otherwise than the set says that they are in. */
  wrong: string[];
  /** Peers to whom the host answers by another link: nobody is there to hear it. */
  elsewhere: number;
  /** Rows that do not say how their peers fare. */
  unknown: number;
}

/** Not all prefixes of a row are drawn from. */
const mostPrefixes = 4;
const mostDraws = 400;
const quickMs = 80;
const patientMs = 500;

type Row = Exposure['reach'][number] | Exposure['blocked'][number];

interface Draw {
  readonly flow: LabFlow;
  readonly row: Row;
  readonly inode: number;
  readonly from: string;
}

/** Builds the host, draws from each row of its exposure, and connects. */
export async function connectPeers(scenario: Scenario, random: Random): Promise<ConnectedPeers> {
  const alone = withoutNeighbours(scenario);
  const lab = await Lab.build(everybodyOutside(alone));
  try {
    await setUp(lab, alone);
    const state = await capture({ netns: lab.host.namespace.path });
    const connected: ConnectedPeers = { drawn: 0, wrong: [], elsewhere: 0, unknown: 0 };
    const all: Draw[] = [];
    for (const one of exposure(state)) {
      connected.unknown += one.unknown.length;
      for (const row of [...one.reach, ...one.blocked])
        all.push(...drawsFrom(lab, state, one, row, random));
    }
    while (all.length > mostDraws) all.splice(random.between(0, all.length - 1), 1);
    const draws = all.filter((draw) => {
      const hears = isAnsweredThere(state, draw);
      if (!hears) connected.elsewhere++;
      return hears;
    });
    await knowNeighbours(lab, state, draws);
    const run = (which: readonly Draw[], timeoutMs: number) =>
      lab.run(which.map(({ flow }) => ({ ...flow, timeoutMs })));
    const results = await run(draws, quickMs);
    const doubtful = draws.filter(
      (draw, place) => complaint(state, draw, results[place]!) !== null,
    );
    // A busy machine can make an answer late.
    const again = await run(doubtful, patientMs);
    connected.drawn = draws.length;
    for (const [place, draw] of doubtful.entries()) {
      const wrong = complaint(state, draw, again[place]!);
      if (wrong !== null) connected.wrong.push(wrong);
    }
    return connected;
  } finally {
    lab.close();
  }
}

/** Each link by itself: two machines that have every address cannot stand on one. */
function withoutNeighbours(scenario: Scenario): Scenario {
  const links = scenario.links.map(({ segment: _, ...link }) => ({
    ...link,
    peers: link.peers.slice(0, 1).map(({ machine, addresses, byGateway }) => ({
      machine,
      addresses,
      byGateway,
    })),
  }));
  return { ...scenario, links, flows: [] };
}

function everybodyOutside({ links }: Scenario): HostDescription {
  const interfaces = links.map((link) => {
    const { name, kind, addresses, peers } = link;
    const machines = peers.map((peer) => [
      peer.machine,
      {
        addresses: peer.addresses,
        sysctls: {
          'net.ipv4.conf.all.rp_filter': 0,
          'net.ipv4.conf.eth0.rp_filter': 0,
          'net.ipv4.conf.all.accept_local': 1,
          'net.ipv6.ip_nonlocal_bind': 1,
        },
        // Whatever comes to it is for it; what it sends goes to the host.
        ip: [
          ...['', '-6 '].flatMap((family) => [
            `${family}route add local ${family ? '::/0' : '0.0.0.0/0'} dev eth0 table 99`,
            `${family}rule add priority 1 iif eth0 lookup 99`,
          ]),
          ...askingByGateway(peer, link),
        ],
      },
    ]);
    return [name, { kind, addresses, peers: Object.fromEntries(machines) }];
  });
  return { interfaces: Object.fromEntries(interfaces) };
}

/** The first and the last address of some prefixes of a row, and one between. */
function drawsFrom(
  lab: Lab,
  state: HostState,
  { endpoint, socket }: Exposure,
  row: Row,
  random: Random,
): Draw[] {
  const machine = [...lab.machines.values()].find(({ ingress }) => ingress === row.interface);
  const address = parseAddress(row.address)!;
  if (!machine || !socket || row.interface === 'lo' || /^(127\.|::1$)/.test(row.address)) return [];
  // The machines of the lab know the host's link-layer address by heart, and need not ask for it.
  if ('cause' in row && row.cause.code === 'neighbour-not-answered') return [];
  const prefixes = [...row.peers];
  while (prefixes.length > mostPrefixes) prefixes.splice(random.between(0, prefixes.length - 1), 1);
  return prefixes.flatMap((from) => {
    const { first, last } = prefixRange(parsePrefix(from)!);
    const between = first + (BigInt(random.between(0, (1 << 20) - 1)) % (last - first + 1n));
    return [...new Set([first, last, between])].flatMap((number): Draw[] => {
      const peer = addressFromNumber(number, address.family);
      const text = formatAddress(peer);
      // A link-local address is asked from by the machine's own alone.
      if (isNobody(state, peer, text) || isLinkLocal(peer)) return [];
      const flow: LabFlow = {
        from: machine.name,
        protocol: endpoint.protocol,
        source: { address: text },
        destination: { address: row.address, port: endpoint.port },
        transparent: true,
        ...(isLinkLocal(address) ? { scope: 'eth0' } : {}),
      };
      return [{ flow, row, inode: socket.inode, from }];
    });
  });
}

/** Does the host send to this peer by the link that it asks on? */
function isAnsweredThere(state: HostState, { flow, row }: Draw): boolean {
  const destination = parseAddress(flow.source!.address!)!;
  const source = parseAddress(row.address)!;
  const answer = hostOf(state).policy[source.family].lookup(keyTo(destination, { source }));
  if (answer.kind !== 'found') return true;
  // Of several ways a hash of the flow takes one.
  return answer.found.route.nexthops.every((way) => way.interface === row.interface);
}

/** The host is told where the peers on its links are: it would ask by a solicitation that none answers. */
async function knowNeighbours(
  lab: Lab,
  { routes }: HostState,
  draws: readonly Draw[],
): Promise<void> {
  const lines = new Set<string>();
  const machines = [...lab.machines.values()];
  for (const { interface: name, gateway } of routes.flatMap(({ nexthops }) => nexthops)) {
    const machine = machines.find(({ ingress }) => ingress === name);
    const mac = machine && Object.values(machine.ports)[0]?.mac;
    const family = gateway?.includes(':') ? '-6 ' : '';
    if (mac && gateway)
      lines.add(`${family}neigh replace ${gateway} lladdr ${mac} dev ${name} nud permanent`);
  }
  for (const { flow, row } of draws) {
    const mac = Object.values(lab.machine(flow.from).ports)[0]?.mac;
    const { address } = flow.source!;
    const family = address!.includes(':') ? '-6 ' : '';
    if (mac)
      lines.add(
        `${family}neigh replace ${address} lladdr ${mac} dev ${row.interface} nud permanent`,
      );
  }
  await lab.namespace('host').tryIp([...lines]);
}

/** The sockets that may take what a peer sends, by their inodes. */
function mayTake(state: HostState, { flow, row }: Draw): number[] {
  const { protocol, destination, source } = flow;
  const asked = {
    protocol,
    ingress: row.interface,
    source: { address: source!.address! },
    destination,
  };
  return follow(hostOf(state), asked).course.takers.map(({ socket }) => socket.inode);
}

/** How a peer fared otherwise than its row says; `null` where it fared so. */
function complaint(state: HostState, draw: Draw, result: FlowResult): string | null {
  const { flow, row, inode, from } = draw;
  const said = 'cause' in row ? row.cause : null;
  const taken = result.takers.some((one) => one.inode === inode);
  // Of several with one score any may take it, as trace says too.
  const byGroup = result.takers.some((one) => mayTake(state, draw).includes(one.inode));
  const isOthers = said !== null && ('socket' in said || said.code === 'shadowed');
  const agrees = isOthers
    ? !taken
    : said
      ? result.outcome === 'unreachable' &&
        (!('symptom' in row) || row.symptom === null || row.symptom === result.symptom)
      : taken || byGroup || result.connected;
  if (agrees) return null;
  return (
    `${flow.protocol} ${flow.source!.address} in ${from} by ${row.interface} to ${row.address} port ` +
    `${flow.destination.port}: exposure says ${said ? `${'symptom' in row ? row.symptom : ''} ${JSON.stringify(said)}` : 'reachable'}, ` +
    `but ${result.outcome} ${result.symptom} (${result.failedAt})`
  );
}
