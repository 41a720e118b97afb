import { capture } from '#earshot/kernel/capture.js';
import type { HostState } from '#earshot/model/host-state.js';
import { hostOf } from '#earshot/reach/host.js';
import { follow, trace } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import { Lab, type LabFlow } from '../harness.js';
import type { FlowResult } from '../sockets.js';
import { flowOf } from '../witness.js';
import type { Scenario } from './scenario.js';

/** How one flow of a scenario compares. */
export interface Held {
  flow: LabFlow;
  verdict: Verdict;
  result: FlowResult;
  /**
   * `agrees`; `wrong` (see `about`); `unknown`; `elsewhere`: the packet or its answer leaves for
   * somebody whose part the verdict leaves out of account, and nothing that was seen contradicts it.
   */
  judgement: 'agrees' | 'wrong' | 'unknown' | 'elsewhere';
  about: string;
}

/** What one scenario gave. */
export interface ScenarioResult {
  held: Held[];
  state: HostState;
}

/** Builds the scenario for real, runs every flow, and holds every verdict against what happened. */
export async function holdScenario(scenario: Scenario): Promise<ScenarioResult> {
  const lab = await Lab.build(scenario.description);
  try {
    for (const line of scenario.ip) await tryIp(lab, line);
    for (const [name, value] of Object.entries(scenario.sysctls))
      lab.namespace('host').sysctl({ [name]: value }, true);
    lab.tryListen(scenario.listeners);
    const state = await capture({ netns: lab.host.namespace.path });
    let results = await lab.run(scenario.flows);
    let held = scenario.flows.map((flow, index) => judge(lab, state, flow, results[index]!));
    // A busy machine can make an answer late: what disagrees is asked once more, with patience.
    const again = held.flatMap(({ judgement }, index) => (judgement === 'wrong' ? [index] : []));
    if (again.length > 0) {
      const patient = again.map((index) => ({ ...scenario.flows[index]!, timeoutMs: 1500 }));
      const repeated = await lab.run(patient);
      results = results.map((result, index) => repeated[again.indexOf(index)] ?? result);
      held = scenario.flows.map((flow, index) => judge(lab, state, flow, results[index]!));
    }
    return { held, state };
  } finally {
    lab.close();
  }
}

async function tryIp(lab: Lab, line: string): Promise<void> {
  try {
    await lab.ip([line]);
  } catch {
    // Not every random line is one that the kernel takes.
  }
}

/** An answer sent straight onto the link does not get to who stands behind a router. */
function isBehindRouter(flow: LabFlow): boolean {
  return flow.from.startsWith('r'); // the generator names them so
}

function judge(lab: Lab, state: HostState, flow: LabFlow, result: FlowResult): Held {
  const asked = flowOf(lab, flow, result);
  const verdict = trace(state, asked);
  const of = (judgement: Held['judgement'], about = ''): Held => ({
    flow,
    verdict,
    result,
    judgement,
    about,
  });
  const { outcome, cause, symptom } = verdict;
  const took = result.takers.map(({ inode }) => inode);
  if (cause?.code === 'forwarded' || cause?.code === 'leaves-this-host') {
    return took.length > 0 ? of('wrong', 'it was taken here, not sent on') : of('elsewhere');
  }
  if (outcome === 'unknown') return of('unknown', JSON.stringify(cause));
  const { course } = follow(hostOf(state), asked);
  const members = course.takers.map(({ socket }) => socket.inode);
  const { wayBack } = course;
  if (took.some((inode) => !members.includes(inode))) return of('wrong', 'the accepting socket');
  const ways = wayBack && !course.fromHere ? [wayBack.device, ...wayBack.others] : [];
  const strays =
    ways.some((device) => device !== course.device) ||
    (wayBack?.gateway === null && isBehindRouter(flow));
  // The answer leaves by another interface: whether it gets there is not this host's doing.
  if (strays && result.symptom === 'ETIMEDOUT' && symptom !== 'ETIMEDOUT') return of('elsewhere');
  if (outcome !== result.outcome) return of('wrong', 'the outcome');
  return outcome === 'reachable' || symptom === result.symptom
    ? of('agrees')
    : of('wrong', 'the symptom');
}
