import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../../reach/exposure-row.js';
import type { Flow } from '../../reach/flow.js';
import type { CauseCode, Step, Verdict } from '../../reach/verdict.js';
import { causeWords, endpointText, symptomWords } from './causes.js';
import { type Field, fields } from './fields.js';
import { fixFields } from './fixes.js';
import { missingText } from './missing.js';
import { printable } from './printable.js';
import { shareableAddress } from './share.js';
import { fold, pad, paragraph } from './text.js';
import { type Palette, palette, type View } from './view.js';

/** A flow with how its interface was chosen, where nobody named one. */
export interface TracedFlow {
  flow: Flow;
  /** `null` where the interface was named. */
  chosen: string | null;
}

/** A packet's life step by step, the deciding step marked, and what it comes to. */
export function traceText(
  state: HostState,
  { flow, chosen }: TracedFlow,
  verdict: Verdict & { remedies: readonly Remedy[] },
  view: View,
): string {
  const colours = palette(view);
  const parts = [
    [
      paragraph(flowText(flow), view.width),
      ...(chosen === null ? [] : [paragraph(chosen, view.width)]),
    ].join('\n'),
    stepLines(verdict, view, colours).join('\n'),
    verdictLines(state, flow, verdict, view).join('\n'),
  ];
  if (verdict.outcome === 'unknown' && state.missing.length > 0) {
    parts.push(missingText(state, view));
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** A flow in words. */
export function flowText({ protocol, ingress, source, destination }: Flow): string {
  const to = endpointText(destination);
  const name = protocol.toUpperCase();
  if (!source) return `${name} from this host to ${to}`;
  const from =
    source.port === undefined
      ? source.address
      : endpointText({ address: source.address, port: source.port });
  const by = ingress === 'lo' ? 'from this host itself' : `arriving on ${printable(ingress)}`;
  return `${name} from ${from} to ${to}, ${by}`;
}

const stageWidth = 'prerouting'.length;
const actionWidth = 'forward'.length;

function stepLines(verdict: Verdict, view: View, colours: Palette): string[] {
  const deciding = decidingStep(verdict);
  const style = outcomeStyle(verdict, colours);
  const room = Math.max(20, view.width - (2 + stageWidth + 2 + actionWidth + 2));
  const lines: string[] = [];
  let direction: Step['direction'] | undefined;
  for (const step of verdict.steps) {
    if (step.direction !== direction) {
      direction = step.direction;
      lines.push(colours.faint(direction === 'request' ? 'Request' : 'Reply'));
    }
    const marked = step === deciding;
    const [first, ...rest] = fold(printable(step.detail), room) as [string, ...string[]];
    const head = `${marked ? '▶' : ' '} ${pad(step.stage, stageWidth)}  ${pad(step.action, actionWidth)}  ${first}`;
    const margin = ' '.repeat(2 + stageWidth + 2 + actionWidth + 2);
    for (const line of [head, ...rest.map((text) => margin + text)]) {
      lines.push(marked ? style(line.trimEnd()) : line.trimEnd());
    }
  }
  return lines;
}

/** The step that decided: the last that did more than let the packet pass. */
function decidingStep({ outcome, stage, steps }: Verdict): Step | undefined {
  const acted = (step: Step) =>
    outcome === 'reachable'
      ? step.action === 'deliver'
      : outcome === 'unknown'
        ? step.action === 'unknown'
        : step.action === 'drop' || step.action === 'reject' || step.action === 'forward';
  const reversed = [...steps].reverse();
  return reversed.find((step) => step.stage === stage && acted(step)) ?? reversed.find(acted);
}

function outcomeStyle({ outcome }: Verdict, colours: Palette): (text: string) => string {
  if (outcome === 'reachable') return colours.calm;
  return outcome === 'unknown' ? colours.unknown : colours.danger;
}

function verdictLines(
  state: HostState,
  flow: Flow,
  verdict: Verdict & { remedies: readonly Remedy[] },
  view: View,
): string[] {
  const colours = palette(view);
  const style = outcomeStyle(verdict, colours);
  return [
    ...fold(printable(verdict.explanation), view.width).map(style),
    ...fields(
      verdictFields(state, flow, verdict, verdict.remedies),
      view.width,
      '  ',
      colours.faint,
    ),
  ];
}

/** Causes of which another way is better than what this host can do about it. */
const better: ReadonlySet<CauseCode> = new Set([
  'martian-destination',
  'source-is-ours',
  'not-our-address',
]);

/** What the peer sees, and what to do about it. */
export function verdictFields(
  state: HostState,
  flow: Flow,
  verdict: Verdict,
  remedies: readonly Remedy[],
): Field[] {
  if (verdict.cause === null) return [];
  // The explanation names the symptom that a peer sees, where it is known.
  const told = verdict.symptom !== null && verdict.explanation.includes(verdict.symptom);
  const sees = verdict.outcome === 'unreachable' && !told ? symptomWords(verdict.symptom) : null;
  const remedyTold =
    'remedy' in verdict.cause && verdict.explanation.includes(verdict.cause.remedy);
  const { hint } = causeWords(verdict.cause, {
    protocol: flow.protocol,
    port: flow.destination.port,
    shareable: shareableAddress(state),
    sockets: [],
  });
  const changes = hint === null || remedyTold ? [] : [{ label: 'Change', lines: [hint] }];
  return [
    ...(sees === null ? [] : [{ label: 'Sees', lines: [sees] }]),
    ...(remedies.length === 0 || better.has(verdict.cause.code) ? changes : []),
    ...fixFields(remedies, 'proof'),
  ];
}
