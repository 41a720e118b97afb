import { setTimeout as sleep } from 'node:timers/promises';
import { capture } from '#earshot/kernel/capture.js';
import type { HostState } from '#earshot/model/host-state.js';
import { addon } from '../addon.js';
import { Lab, type LabFlow } from '../harness.js';
import type { Namespace } from '../namespaces.js';
import type { FlowResult, Listener } from '../sockets.js';
import { loadIptables } from './iptables.js';
import { type Held, judge } from './judge.js';
import { loadNftables } from './nftables.js';
import { WORLD, withOutside, worldListeners } from './outside.js';
import { plain, type Scenario } from './scenario.js';

/** What one scenario gave. */
export interface ScenarioResult {
  held: Held[];
  state: HostState;
  /** Lines for ip(8) and nft(8) that the kernel did not take. */
  refused: string[];
}

/** A busy machine can make an answer late: what disagrees is asked once more, with patience. */
const quickMs = 80;
const patientMs = 400;

/**
 * Of an IPv4 router's errors about routes each peer gets a few at once and then one a second,
 * whatever the limits for ICMP say (ip_error in net/ipv4/route.c). So these are asked again, later.
 */
const rationMs = 1100;
const rounds = 16;

function isRationed({ flow, verdict, result, judgement }: Held): boolean {
  const ipv4 = !flow.destination.address.includes(':');
  const silent = judgement === 'wrong' && result.symptom === 'ETIMEDOUT';
  return ipv4 && silent && verdict.stage === 'routing';
}

/** Builds the scenario for real, runs every flow, and holds every verdict against what happened. */
export async function holdScenario(scenario: Scenario): Promise<ScenarioResult> {
  const lab = await Lab.build(withOutside(scenario));
  try {
    const refused = await setUp(lab, scenario);
    const state = await capture({ netns: lab.host.namespace.path });
    const { flows } = scenario;
    const results = await lab.run(flows.map((flow) => ({ ...flow, timeoutMs: quickMs })));
    const held = judgeAll(lab, state, flows, results);
    for (let round = 0; round < rounds; round++) {
      const isDoubtful = round === 0 ? disagrees : isRationed;
      const doubtful = held.flatMap((one, index) => (isDoubtful(one) ? [index] : []));
      if (doubtful.length === 0) break;
      if (round > 0) await sleep(rationMs);
      const again = doubtful.map((index) => ({ ...flows[index]!, timeoutMs: patientMs }));
      const repeated = await lab.run(again);
      for (const [place, index] of doubtful.entries()) {
        held[index] = judge(lab, state, flows[index]!, repeated[place]!, index);
      }
    }
    return { held, state, refused };
  } finally {
    lab.close();
  }
}

function disagrees({ judgement }: Held): boolean {
  return judgement === 'wrong' || judgement === 'elsewhere';
}

function judgeAll(lab: Lab, state: HostState, flows: LabFlow[], results: FlowResult[]): Held[] {
  return flows.map((flow, index) => judge(lab, state, flow, results[index]!, index));
}

/** Makes the built host the one of the scenario; gives the lines that the kernel did not take. */
export async function setUp(
  lab: Lab,
  { links, before, ip, sysctls, listeners, nft, iptables }: Scenario,
): Promise<string[]> {
  const host = lab.namespace('host');
  host.sysctl(before, true);
  const refused = await host.tryIp(ip);
  host.sysctl(sysctls, true);
  // Asking notices a carrier that is lost at once; left alone the kernel may take a second.
  await addon.awaitRunning(
    host.fd,
    links.map(({ name }) => name),
    0,
  );
  await awaitDuplicates(
    host,
    links.flatMap(({ peers }) => peers.flatMap(({ duplicates = [] }) => duplicates.map(plain))),
  );
  await host.settle();
  if (lab.machines.has(WORLD)) lab.listen(worldListeners, WORLD);
  lab.tryListen(listeners);
  await fillQueues(lab);
  const ofNft = await loadNftables(host, nft);
  return [...refused, ...ofNft, ...(await loadIptables(host, iptables))];
}

const dadFailed = 0x08; // IFA_F_DADFAILED

/** Waits until duplicate address detection has met the other holder of each address. */
async function awaitDuplicates(host: Namespace, addresses: string[]): Promise<void> {
  const digits = addresses.map((address) => {
    const [head, tail] = address.split('::') as [string, string];
    const groups = head.split(':').map((group) => group.padStart(4, '0'));
    return groups.join('').padEnd(28, '0') + tail.padStart(4, '0');
  });
  const until = performance.now() + 1000;
  while (digits.length > 0 && performance.now() < until) {
    const lines = host.read('/proc/thread-self/net/if_inet6').split('\n');
    const pending = lines.some((line) => {
      const [address, , , , flags] = line.trim().split(/\s+/);
      const late = (Number.parseInt(flags ?? '0', 16) & dadFailed) === 0;
      return late && digits.includes(address ?? '');
    });
    if (!pending) return;
    await sleep(5);
  }
}

/**
 * Fills the accept queue of every listener that does not accept, by connections of the host to
 * itself. One that cannot be filled that way would fill up while flows are run: it is closed.
 */
async function fillQueues(lab: Lab): Promise<void> {
  const idle = lab.listeners.filter(({ spec }) => spec.serves === false);
  if (idle.length === 0) return;
  const flows = idle.flatMap(({ spec, port }) =>
    Array.from(
      { length: (spec.backlog ?? 0) + 2 },
      (): LabFlow => ({
        from: 'host',
        protocol: 'tcp',
        destination: { address: fillAddress(spec), port },
        ...(spec.scope ? { scope: spec.scope } : {}),
        timeoutMs: quickMs,
      }),
    ),
  );
  await lab.run(flows);
  const { sockets } = await capture({ netns: lab.host.namespace.path });
  const isFull = ({ inode }: Listener): boolean =>
    sockets.some(
      ({ backlog, ...socket }) =>
        socket.inode === inode && backlog !== null && backlog.length > backlog.limit,
    );
  const open = idle.filter((listener) => !isFull(listener));
  if (open.length > 0) lab.unlisten(open);
}

function fillAddress({ address, device, v6only }: Listener['spec']): string {
  const number = device?.replace('eth', '');
  const isCard = number !== undefined && number !== 'lo';
  if (address === '0.0.0.0') return isCard ? `10.${number}.0.1` : '127.0.0.1';
  if (address !== '::') return address.replace('::ffff:', '');
  if (v6only === false) return isCard ? `10.${number}.0.1` : '127.0.0.1';
  return isCard ? `fd00:${number}::1` : '::1';
}
