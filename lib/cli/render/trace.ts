import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../../reach/exposure-row.js';
import type { Flow } from '../../reach/flow.js';
import type { CauseCode, Step, StepAction, Verdict } from '../../reach/verdict.js';
import { causeWords } from './causes.js';
import { type Field, fields } from './fields.js';
import { fixFields } from './fixes.js';
import { missingText } from './missing.js';
import { printable } from './printable.js';
import { shareableAddress } from './share.js';
import { symptomWords } from './symptom-words.js';
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
  const to = formatEndpoint(destination);
  const name = protocol.toUpperCase();
  if (!source) return `${name} from this host to ${to}`;
  const from =
    source.port === undefined
      ? source.address
      : formatEndpoint({ address: source.address, port: source.port });
  const by = ingress === 'lo' ? 'from this host itself' : `arriving on ${printable(ingress)}`;
  return `${name} from ${from} to ${to}, ${by}`;
}

const stageWidth = 'prerouting'.length;
const actionWidth = 'unknown'.length;
/** The mark of the deciding step, the track, and a blank behind each. */
const trackWidth = 4;
/** Where less room is left beside stage and action, what acted stands below them. */
const leastBeside = 30;

/** What the packet's track comes to at a step. */
const tracks: Readonly<Record<StepAction, string>> = {
  pass: '│',
  forward: '→',
  deliver: '✓',
  drop: '✗',
  reject: '✗',
  unknown: '?',
};

/**
 * The packet's way from top to bottom, and that of its answer: stage, what was done, and what did it.
 * The deciding step is marked, and bears the colour of the outcome.
 */
function stepLines(verdict: Verdict, view: View, colours: Palette): string[] {
  const deciding = decidingStep(verdict);
  const beside = trackWidth + stageWidth + 2 + actionWidth + 2;
  const stacked = view.width - beside < leastBeside;
  const margin = ' '.repeat((stacked ? trackWidth + 2 : beside) - trackWidth);
  const room = Math.max(20, view.width - trackWidth - margin.length);
  const lines: string[] = [];
  let before: Step | undefined;
  for (const [index, step] of verdict.steps.entries()) {
    const marked = step === deciding;
    const same = before?.direction === step.direction;
    if (!same) lines.push(colours.strong(step.direction === 'request' ? 'Request' : 'Reply'));
    const goesOn = verdict.steps[index + 1]?.direction === step.direction;
    // A stage of many rules is named once.
    const stage = same && before?.stage === step.stage && !marked && !stacked ? '' : step.stage;
    const folded = fold(printable(step.detail), room);
    const [first = '', ...rest] = stacked ? ['', ...folded] : folded;
    const head = `${pad(stage, stageWidth)}  ${pad(step.action, actionWidth)}  ${first}`;
    const style = marked ? outcomeStyle(verdict, colours) : (text: string) => text;
    const texts = [head, ...rest.map((text) => margin + text)].map((text) => text.trimEnd());
    for (const [line, text] of texts.entries()) {
      // Not U+25B6, which some screens draw as a picture two columns wide.
      const ahead = line === 0 && marked ? style('►') : ' ';
      const track = line === 0 ? tracks[step.action] : goesOn ? tracks.pass : ' ';
      const trackStyle = line === 0 ? actionStyle(step, colours) : colours.faint;
      const drawn = track === ' ' ? ' ' : trackStyle(track);
      lines.push(`${ahead} ${drawn} ${marked ? strongly(text, style, colours) : text}`);
    }
    before = step;
  }
  return lines;
}

/** The blanks ahead of a text bear no colour. */
function strongly(text: string, style: (text: string) => string, colours: Palette): string {
  const words = text.trimStart();
  return ' '.repeat(text.length - words.length) + colours.strong(style(words));
}

function actionStyle({ action }: Step, colours: Palette): (text: string) => string {
  switch (action) {
    case 'pass':
      return colours.faint;
    case 'forward':
      return colours.link;
    case 'deliver':
      return colours.calm;
    case 'unknown':
      return colours.unknown;
    case 'drop':
    case 'reject':
      return colours.danger;
  }
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
  // What was sent on was followed further where that is not the last that is told.
  const followed = verdict.cause.code === 'forwarded' && verdict.steps.at(-1)?.action !== 'unknown';
  const changes =
    hint === null || remedyTold || followed ? [] : [{ label: 'Change', lines: [hint] }];
  return [
    ...(sees === null ? [] : [{ label: 'Sees', lines: [sees] }]),
    ...(remedies.length === 0 || better.has(verdict.cause.code) ? changes : []),
    ...fixFields(remedies, 'proof'),
  ];
}
