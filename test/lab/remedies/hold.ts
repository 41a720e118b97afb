import { setTimeout as sleep } from 'node:timers/promises';
import { capture } from '#earshot/kernel/capture.js';
import { isUnspecified, parseAddress } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { Socket } from '#earshot/model/socket.js';
import type { Flow } from '#earshot/reach/flow.js';
import { hostOf } from '#earshot/reach/host.js';
import type { Change } from '#earshot/reach/remedies/change.js';
import { remedyOf } from '#earshot/reach/remedies/remedies.js';
import { closings, type Solution, solve } from '#earshot/reach/remedies/search.js';
import { follow, trace } from '#earshot/reach/trace.js';
import type { CauseCode, Verdict } from '#earshot/reach/verdict.js';
import { addon } from '../addon.js';
import { Lab, type LabFlow } from '../harness.js';
import { setUp } from '../random/hold.js';
import { isRouted } from '../random/judge.js';
import { withOutside } from '../random/outside.js';
import type { Scenario } from '../random/scenario.js';
import { type FlowResult, ListenError, type Listener, type ListenerSpec } from '../sockets.js';
import { HOST } from '../topology.js';

/** One remedy of one flow that fails, carried out. */
export interface HeldRemedy {
  flow: LabFlow;
  asked: Flow;
  /** Before the change. */
  verdict: Verdict;
  summary: string;
  command: string | null;
  /** What came of it; `null` where it could not be carried out. */
  result: FlowResult | null;
  /** What is wrong with it; `null` where the flow gets through. */
  fault: string | null;
}

/** What one scenario gave. */
export interface HeldRemedies {
  held: HeldRemedy[];
  /** Flows that fail, for which something was proposed. */
  cases: number;
  /** Flows for which nothing was. */
  without: { asked: Flow; verdict: Verdict }[];
}

/** Is a flow that fails to get through, or one that gets through to fail? */
export type Goal = 'open' | 'close';

function wantedBefore(goal: Goal): Verdict['outcome'] {
  return goal === 'open' ? 'unreachable' : 'reachable';
}

function solutionsOf(state: HostState, asked: Flow, goal: Goal): Solution[] {
  return goal === 'open' ? solve(state, asked, forThisPeer) : closings(state, asked, []);
}

const forThisPeer = { peers: [], socket: null, cause: null };
const quickMs = 100;
const patientMs = 500;

/**
 * Builds the host of a scenario and looks for flows that fail and that can be remedied, of each cause
 * one. For each remedy the host is built anew, what it says is done there, and the flow run.
 */
export async function holdRemedies(
  scenario: Scenario,
  mostCases: number,
  goal: Goal = 'open',
): Promise<HeldRemedies> {
  const result: HeldRemedies = { held: [], cases: 0, without: [] };
  const chosen = await onHost(scenario, async (lab) => {
    const state = await capture({ netns: lab.host.namespace.path });
    const cases = choose(lab, state, scenario.flows, mostCases, result.without, goal);
    const before = await lab.run(cases.map(({ flow }) => ({ ...flow, timeoutMs: quickMs })));
    return cases.filter((_, index) => before[index]!.outcome === wantedBefore(goal));
  });
  result.cases = chosen.length;
  for (const { flow, count } of chosen)
    for (let place = 0; place < count; place++) {
      const held = await onHost(scenario, (lab) => carryOut(lab, flow, place, goal));
      if (held) result.held.push(held);
    }
  return result;
}

async function onHost<Result>(
  scenario: Scenario,
  use: (lab: Lab) => Promise<Result>,
): Promise<Result> {
  const lab = await Lab.build(withOutside(scenario));
  try {
    await setUp(lab, scenario);
    return await use(lab);
  } finally {
    lab.close();
  }
}

interface Case {
  flow: LabFlow;
  /** How many remedies there are. */
  count: number;
}

/** What most flows fail of: of a host that fails otherwise too, that is looked at first. */
const common: ReadonlySet<CauseCode> = new Set([
  'bound-to-loopback',
  'bound-to-other-address',
  'ipv4-only',
  'ipv6-only',
  'martian-destination',
]);

/** Of each kind of failure the first flow that can be remedied. */
function choose(
  lab: Lab,
  state: HostState,
  flows: LabFlow[],
  most: number,
  without: HeldRemedies['without'],
  goal: Goal,
): Case[] {
  const failing = flows.flatMap((flow) => {
    const asked = askedBy(lab, flow);
    const verdict = trace(state, asked);
    const { cause } = verdict;
    if (verdict.outcome !== wantedBefore(goal)) return [];
    const hook = cause && 'hook' in cause ? `${cause.hook} ${cause.direction}` : '';
    const kind = `${flow.from === HOST} ${cause?.code ?? verdict.socket?.inode} ${hook}`;
    return [{ flow, asked, verdict, kind, rare: cause !== null && !common.has(cause.code) }];
  });
  failing.sort((one, other) => Number(other.rare) - Number(one.rare));
  const seen = new Set<string>();
  const cases: Case[] = [];
  for (const { flow, asked, verdict, kind } of failing) {
    if (cases.length === most || seen.has(kind)) continue;
    const solutions = solutionsOf(state, asked, goal);
    if (solutions.length === 0) {
      without.push({ asked, verdict });
      continue;
    }
    seen.add(kind);
    cases.push({ flow, count: solutions.length });
  }
  return cases;
}

function askedBy(lab: Lab, { from, protocol, source, destination }: LabFlow): Flow {
  const { ingress } = lab.machine(from);
  const peer = source?.address
    ? { source: { address: source.address, ...(source.port ? { port: source.port } : {}) } }
    : {};
  const user = ingress === 'lo' ? { uid: 0 } : {};
  return { protocol, ingress, ...peer, destination, ...user };
}

async function carryOut(
  lab: Lab,
  flow: LabFlow,
  place: number,
  goal: Goal,
): Promise<HeldRemedy | null> {
  const state = await capture({ netns: lab.host.namespace.path });
  const asked = askedBy(lab, flow);
  const solution = solutionsOf(state, asked, goal)[place];
  if (!solution) return null;
  const { summary, command } = remedyOf(solution, asked);
  const held = { flow, asked, verdict: trace(state, asked), summary, command };
  endDetection(lab);
  const refused = await perform(lab, solution);
  if (refused !== null) return { ...held, result: null, fault: refused };
  let result: FlowResult | undefined;
  for (const timeoutMs of [quickMs, patientMs]) {
    [result] = await lab.run([{ ...flow, timeoutMs }]);
    const shaken = flow.protocol === 'tcp' && result!.connected;
    const open = result!.outcome === 'reachable' || shaken;
    if (open === (goal === 'open')) return { ...held, result: result!, fault: null };
  }
  // No router passes on an answer from a link-local address: that is not this host's doing.
  if (isRouted(follow(hostOf(solution.state), asked).course)) return null;
  const after = trace(await capture({ netns: lab.host.namespace.path }), asked);
  const fault = `the kernel says ${result!.symptom} (${result!.failedAt}), a new capture: ${after.outcome} ${after.explanation}`;
  return { ...held, result: result!, fault };
}

/** Some hosts look for duplicates for hours: an address that they are given now is not to wait for that. */
function endDetection(lab: Lab): void {
  const settings = ['all', ...up(lab)].flatMap((name) => [
    [`net.ipv6.conf.${name}.accept_dad`, 0],
    [`net.ipv6.conf.${name}.dad_transmits`, 0],
  ]);
  lab.host.namespace.sysctl(Object.fromEntries(settings), true);
}

/** Does what each change says, as the person would who reads it; what is refused. */
async function perform(lab: Lab, { changes }: Solution): Promise<string | null> {
  const ordered = [...changes].sort((one, other) => Number(!!one.move) - Number(!!other.move));
  const started = new Map<Socket, Listener>();
  for (const change of ordered) {
    const refused = change.move ? restart(lab, change.move, started) : await type(lab, change);
    if (refused !== null) return refused;
  }
  return null;
}

const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';

async function type(lab: Lab, { command, what }: Change): Promise<string | null> {
  if (command === null) return `nothing to type for: ${what}`;
  try {
    const host = lab.host.namespace;
    await host.run(['env', `PATH=${searchPath}`, 'sh', '-c', command]);
    await addon.awaitRunning(host.fd, up(lab), 2000);
    await host.settle();
    // An IPv6 address that is new can be bound when a worker of the kernel has looked at it.
    if (command.includes('-6 address add')) await sleep(200);
    return null;
  } catch (error) {
    return String(error);
  }
}

/** The interfaces of the host that peers are at. */
function up({ machines }: Lab): string[] {
  return [
    ...new Set([...machines.values()].flatMap(({ door, ingress }) => [door, ingress])),
  ].filter((name) => name !== 'lo');
}

/** The server ends, and is started with another address. */
function restart(
  lab: Lab,
  { from, to }: NonNullable<Change['move']>,
  started: Map<Socket, Listener>,
): string | null {
  const old =
    from && (started.get(from) ?? lab.listeners.find(({ inode }) => inode === from.inode));
  if (old === undefined) return `no listener has inode ${from?.inode}`;
  if (old) lab.unlisten([old]);
  if (!to) return null;
  const opened = lab.tryListen([specOf(to, old?.spec)])[0]!;
  if (opened instanceof ListenError) return opened.message;
  started.set(to, opened);
  return null;
}

function specOf(to: Socket, old: ListenerSpec | undefined): ListenerSpec {
  const { protocol, local, boundInterface, v6only } = to;
  const everywhere = isUnspecified(parseAddress(local.address)!);
  const spec: ListenerSpec = {
    ...(old ?? {
      uid: to.uid,
      mark: to.mark ?? 0,
      reuseAddress: to.reuseAddress ?? false,
      reusePort: to.reusePort ?? false,
    }),
    protocol,
    address: local.address,
    port: local.port,
  };
  delete spec.scope;
  delete spec.device;
  delete spec.v6only;
  if (boundInterface !== null) spec.device = boundInterface;
  if (to.family === 'ipv6' && everywhere) spec.v6only = v6only === true;
  // By IPv4, a socket of both families cannot answer a broadcast from the address that it was sent to.
  if (spec.v6only === false) delete spec.answerFrom;
  return spec;
}
