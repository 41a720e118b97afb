import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../../reach/exposure-row.js';
import type { Flow } from '../../reach/flow.js';
import type { Verdict } from '../../reach/verdict.js';
import { fields } from './fields.js';
import { missingText } from './missing.js';
import { printable } from './printable.js';
import { pad, paragraph, widthOf } from './text.js';
import { verdictFields } from './trace.js';
import { palette, type View } from './view.js';

/** One flow that was asked for, and its fate. */
export interface Judged {
  flow: Flow;
  verdict: Verdict;
  /** Changes that were proved to let it through; none where it gets through. */
  remedies: readonly Remedy[];
}

/** Whether one peer gets in to a port, address by address. */
export function peerText(
  state: HostState,
  peer: string,
  judged: readonly Judged[],
  chosen: string | null,
  view: View,
): string {
  const colours = palette(view);
  const ingress = judged[0]?.flow.ingress ?? 'lo';
  const by = ingress === 'lo' ? 'which is this host itself' : `arriving on ${printable(ingress)}`;
  const head = [paragraph(`From ${peer}, ${by}:`, view.width)];
  if (chosen !== null) head.push(paragraph(chosen, view.width));
  const targets = judged.map(({ flow }) => `${formatEndpoint(flow.destination)}/${flow.protocol}`);
  const widest = Math.max(...targets.map(widthOf));
  const styles = {
    reachable: colours.calm,
    unreachable: colours.danger,
    unknown: colours.unknown,
  } as const;
  const blocks = judged.map(({ flow, verdict, remedies }, index) => [
    `  ${pad(targets[index]!, widest)}  ${styles[verdict.outcome](verdict.outcome)}`,
    ...fields(
      [
        { label: 'Why', lines: [printable(verdict.explanation)] },
        ...verdictFields(state, flow, verdict, remedies),
      ],
      view.width,
      '    ',
      colours.faint,
    ),
  ]);
  const parts = [head.join('\n'), ...blocks.map((lines) => lines.join('\n'))];
  if (judged.some(({ verdict }) => verdict.outcome === 'unknown') && state.missing.length > 0) {
    parts.push(missingText(state, view));
  }
  return `${parts.join('\n\n')}\n`;
}
