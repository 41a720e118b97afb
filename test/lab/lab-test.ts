import type { TestFn } from 'ava';
import { type Requirement, requires } from '../support/requirements.js';
import { whyNoLab } from './privilege.js';

/** ava's test function for what builds labs; `tools` are further programs it runs. */
export function labTest(tools: string[] = [], others: Requirement[] = []): TestFn {
  return requires(
    'tool:ip',
    ...tools.map((tool) => `tool:${tool}` as const),
    { name: 'lab', missing: whyNoLab },
    ...others,
  );
}
