import type { HostState } from '../../model/host-state.js';
import { sentence } from './causes.js';
import { paragraph } from './text.js';
import { palette, type View } from './view.js';

/** What a state lacks, and what would help: a paragraph each, remedies that are the same told once. */
export function missingText(state: HostState, view: View): string {
  const colours = palette(view);
  const byRemedy = new Map<string, string[]>();
  for (const { reason, remedy } of state.missing) {
    const reasons = byRemedy.get(remedy);
    const told = sentence(reason);
    if (!reasons) byRemedy.set(remedy, [told]);
    else if (!reasons.includes(told)) reasons.push(told);
  }
  return [...byRemedy]
    .map(([remedy, reasons]) => {
      const text = [...reasons, ...(remedy === '' ? [] : [sentence(remedy)])].join(' ');
      return colours.unknown(paragraph(text, view.width, 'Note: '));
    })
    .join('\n');
}
