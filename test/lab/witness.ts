import { capture } from '#earshot/kernel/capture.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import type { Lab, LabFlow } from './harness.js';
import type { FlowResult } from './sockets.js';

/** A flow, what earshot says of it, and what happened. */
export interface Comparison {
  flow: LabFlow;
  /** The flow as earshot was asked. */
  asked: Flow;
  verdict: Verdict;
  result: FlowResult;
  /** What they disagree on; `null` where they agree or the verdict is unknown. */
  disagreement: string | null;
}

/**
 * Captures the host, traces each flow, really runs each flow, and compares: the outcome, what the
 * peer's program sees, and the socket that took it. One disagreement is an error that prints both
 * answers. What earshot called unknown is for the caller to judge.
 */
export async function holdAgainstKernel(lab: Lab, flows: LabFlow[]): Promise<Comparison[]> {
  const comparisons = await compareWithKernel(lab, flows);
  const wrong = comparisons.filter(({ disagreement }) => disagreement !== null);
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 5).map(describe).join('\n\n');
    throw new Error(
      `earshot and the kernel disagree on ${wrong.length} of ${flows.length} flows:\n\n${shown}`,
    );
  }
  return comparisons;
}

/** The same, disagreements included. */
export async function compareWithKernel(lab: Lab, flows: LabFlow[]): Promise<Comparison[]> {
  const state = await capture({ netns: lab.host.namespace.path });
  const results = await lab.run(flows);
  return flows.map((flow, index) => compare(lab, state, flow, results[index]!));
}

function compare(lab: Lab, state: HostState, flow: LabFlow, result: FlowResult): Comparison {
  const asked = flowOf(lab, flow, result);
  const verdict = trace(state, asked);
  return { flow, asked, verdict, result, disagreement: disagreement(lab, verdict, result) };
}

/** The question as earshot is asked it: what the host itself sends may leave its source open. */
export function flowOf(lab: Lab, flow: LabFlow, result: FlowResult): Flow {
  const { ingress, ports } = lab.machine(flow.from);
  const { protocol, destination } = flow;
  if (ingress === 'lo' && !flow.source?.address) return { protocol, ingress, destination };
  const ipv6 = destination.address.includes(':');
  const own = Object.values(ports)[0]?.addresses.find((address) => address.includes(':') === ipv6);
  const address = flow.source?.address ?? result.askedFrom?.address ?? own;
  if (!address) throw new Error(`${flow.from} has no address to ask ${destination.address} from`);
  const port = result.askedFrom?.port ?? flow.source?.port;
  return { protocol, ingress, source: port ? { address, port } : { address }, destination };
}

function disagreement(lab: Lab, verdict: Verdict, result: FlowResult): string | null {
  if (verdict.outcome === 'unknown') return null;
  if (verdict.outcome !== outcomeOf(lab, verdict, result)) return 'the outcome';
  if (verdict.outcome === 'unreachable') {
    return verdict.symptom === null || verdict.symptom === result.symptom ? null : 'the symptom';
  }
  const inodes = result.takers.map(({ inode }) => inode);
  const took = inodes.length === 0 || inodes.includes(verdict.socket?.inode ?? -1);
  return took ? null : 'the accepting socket';
}

/** A server that never accepts is reached when the handshake completes or its queue has the datagram. */
function outcomeOf(lab: Lab, verdict: Verdict, result: FlowResult): FlowResult['outcome'] {
  const listener = lab.listeners.find(({ inode }) => inode === verdict.socket?.inode);
  return listener?.spec.serves === false && result.connected ? 'reachable' : result.outcome;
}

function describe({ flow, asked, verdict, result, disagreement }: Comparison): string {
  const { askedFrom, takers, ...happened } = result;
  const steps = verdict.steps.map(
    ({ stage, direction, action, detail }) => `    ${direction} ${stage} ${action}: ${detail}`,
  );
  return [
    `${disagreement}, from ${flow.from}: ${JSON.stringify(asked)}`,
    `  earshot: ${verdict.outcome} ${verdict.symptom ?? ''} at ${verdict.stage}, socket ${verdict.socket?.inode ?? 'none'}, cause ${JSON.stringify(verdict.cause)}`,
    `    ${verdict.explanation}`,
    ...steps,
    `  the kernel: ${JSON.stringify({
      ...happened,
      acceptedBy: undefined,
      takers: takers.map(({ inode, spec }) => ({ inode, ...spec })),
    })}`,
  ].join('\n');
}
