import type { Remedy } from '../../reach/exposure-row.js';
import { sentence } from './causes.js';
import type { Field } from './fields.js';
import { printable } from './printable.js';

/** How many changes are told; the JSON has all. */
const mostTold = 3;

/**
 * Changes that were proved to help, each with the line to type; as `proof` also what is so then,
 * where that is not the same as of the one before.
 */
export function fixFields(remedies: readonly Remedy[], tells: 'change' | 'proof'): Field[] {
  return remedies.slice(0, mostTold).map(({ summary, command, proof }, place) => {
    const told = remedies[place - 1]?.proof.explanation === proof.explanation;
    return {
      label: place === 0 ? 'Fix' : 'Or',
      lines: [sentence(summary)],
      command: command === null ? null : printable(command),
      after: tells === 'proof' && !told ? [`Then ${printable(proof.explanation)}`] : [],
    };
  });
}
