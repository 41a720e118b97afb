import { formatAddress, isLinkLocal } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { Course } from '#earshot/reach/course.js';
import type { Flow } from '#earshot/reach/flow.js';
import { hostOf } from '#earshot/reach/host.js';
import { type Followed, follow, trace } from '#earshot/reach/trace.js';
import type { Cause, Verdict } from '#earshot/reach/verdict.js';
import type { Lab, LabFlow } from '../harness.js';
import type { FlowResult } from '../sockets.js';
import { HOST } from '../topology.js';
import { flowOf } from '../witness.js';

/** How one flow of a scenario compares. */
export interface Held {
  flow: LabFlow;
  /** The flow as earshot was asked. */
  asked: Flow;
  verdict: Verdict;
  result: FlowResult;
  /**
   * - `agrees`: the outcome, what the peer sees, and the socket; or the packet was sent on, and it
   *   arrived there;
   * - `wrong`: one of these is not so, `about` says which;
   * - `unknown`: earshot does not say, `about` is its reason;
   * - `elsewhere`: earshot says that the packet was sent on, and it arrived nowhere, which others may
   *   have decided; `about` says where it went.
   */
  judgement: 'agrees' | 'wrong' | 'unknown' | 'elsewhere';
  about: string;
}

/** Holds a verdict against what happened. */
export function judge(
  lab: Lab,
  state: HostState,
  flow: LabFlow,
  result: FlowResult,
  index: number,
): Held {
  const asked = askedBy(lab, flow, result, index);
  const verdict = trace(state, asked);
  const followed = follow(hostOf(state), asked);
  const [judgement, about] = compare(verdict, followed, flow, result);
  return { flow, asked, verdict, result, judgement, about };
}

/** Every other flow that comes in by a bridge names the port, not the bridge. */
function askedBy(lab: Lab, flow: LabFlow, result: FlowResult, index: number): Flow {
  const asked = flowOf(lab, flow, result);
  const { ingress, door } = lab.machine(flow.from);
  if (ingress === 'lo') return { ...asked, uid: 0 };
  return index % 2 === 1 ? { ...asked, ingress: door } : asked;
}

function compare(
  verdict: Verdict,
  followed: Followed,
  flow: LabFlow,
  result: FlowResult,
): [Held['judgement'], string] {
  const { outcome, cause, symptom } = verdict;
  const { course } = followed;
  const here = result.takers.filter(({ namespace }) => namespace.name === HOST);
  const away = result.takers.length - here.length;
  if (cause?.code === 'forwarded' || cause?.code === 'leaves-this-host') {
    if (here.length > 0) return ['wrong', 'it was taken here, not sent on'];
    if (away > 0) return ['agrees', ''];
    const refused = ['bind', 'connect', 'send'].includes(result.failedAt ?? '');
    if (refused && cause.code === 'leaves-this-host') return ['wrong', 'it did not leave'];
    const by = cause.code === 'forwarded' ? 'forwarded' : 'left';
    return ['elsewhere', `${by}, ${flow.protocol}, ${result.symptom}`];
  }
  if (outcome === 'unknown') return ['unknown', reasonOf(cause)];
  // What rules have sent on, and is answered past this host, is no answer to the peer.
  const unanswered =
    verdict.stage === 'reply' && verdict.steps.some(({ action }) => action === 'forward');
  if (away > 0 && !unanswered) return ['wrong', 'it was sent on'];
  const silent = outcome !== result.outcome || symptom !== result.symptom;
  if (silent && result.symptom === 'ETIMEDOUT' && isRouted(course)) {
    return ['elsewhere', 'an answer from a link-local address, which no router passes on'];
  }
  const members = course.takers.map(({ socket }) => socket.inode);
  if (here.some(({ inode }) => !members.includes(inode))) return ['wrong', 'the accepting socket'];
  // The handshake is what is foretold; rules may still drop what is said afterwards.
  const shaken = flow.protocol === 'tcp' && result.connected;
  if (outcome === 'reachable' && shaken) return ['agrees', ''];
  // The lab asks a broadcast address again, by a socket that hears everybody: conntrack knows that
  // datagram's connection, and rules may drop it where they let the first one in.
  const asked = course.destinationType === 'broadcast' && here.length > 0;
  if (outcome === 'reachable' && asked && result.failedAt === 'silence') return ['agrees', ''];
  if (outcome !== result.outcome) return ['wrong', 'the outcome'];
  if (outcome !== 'reachable' && symptom === null) {
    const { unsure } = followed.fate;
    return unsure
      ? ['unknown', `the symptom: ${reasonOf(unsure)}`]
      : ['wrong', 'no reason why the symptom is open'];
  }
  if (outcome !== 'reachable') {
    return symptom === result.symptom ? ['agrees', ''] : ['wrong', 'the symptom'];
  }
  const from = result.askedFrom?.address;
  const source = course.asked ? formatAddress(course.asked.source) : course.packet.sourceText;
  const chosen = from === undefined || from === source;
  return chosen ? ['agrees', ''] : ['wrong', 'the source address'];
}

/** Does the answer leave from a link-local address and not straight to the link it is an address of? */
export function isRouted({ packet, wayBack, device }: Course): boolean {
  if (!wayBack || !isLinkLocal(packet.destination)) return false;
  return wayBack.gateway !== null || wayBack.device !== device || wayBack.others.length > 0;
}

function reasonOf(cause: Cause | null): string {
  if (cause?.code === 'not-evaluated') return `${cause.code}: ${cause.what.replace(/\d+/g, 'N')}`;
  return cause?.code ?? 'no cause';
}
