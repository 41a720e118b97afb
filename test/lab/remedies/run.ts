import { parseArgs } from 'node:util';
import { whyNoLab } from '../privilege.js';
import { generate } from '../random/generate.js';
import { families, type ScenarioFamily } from '../random/scenario.js';
import { holdRemedies } from './hold.js';
import { RemedyTally, remedyInOneLine } from './tally.js';

/*
 * The remedies of random hosts, carried out: `npm run lab -- --remedies --seeds 1-500
 * [--family bind,routes] [--cases N] [--flows N] [--show] [--without]`. Every remedy of up to --cases flows a host that
 * fail is typed there, on a host built anew, and the flow run; with --close, what is to keep out flows that
 * get through. Ends with 1 where one did not do it.
 */

const { values } = parseArgs({
  options: {
    remedies: { type: 'boolean' },
    seeds: { type: 'string', default: '1-50' },
    family: { type: 'string' },
    cases: { type: 'string', default: '3' },
    flows: { type: 'string', default: '60' },
    close: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
    without: { type: 'boolean', default: false },
  },
});
const range = /^(\d+)(?:-(\d+))?$/.exec(values.seeds);
const reason = whyNoLab() ?? (range ? null : `--seeds ${values.seeds} is no range: say 1-500`);
if (reason !== null) {
  console.error(reason);
  process.exit(2);
}
const wanted = (values.family?.split(',') ?? families) as readonly ScenarioFamily[];
let next = Number(range![1]);
const last = Number(range![2] ?? next);
const tally = new RemedyTally();
await Promise.all([work(), work(), work()]);
console.log(tally.toString());
process.exitCode = tally.faults > 0 ? 1 : 0;

async function work(): Promise<void> {
  while (next <= last) {
    const scenario = generate(next++, Number(values.flows));
    if (!wanted.includes(scenario.family)) continue;
    const result = await holdRemedies(
      scenario,
      Number(values.cases),
      values.close ? 'close' : 'open',
    );
    tally.add(scenario, result);
    for (const held of result.held)
      if (held.fault !== null || values.show) console.log(remedyInOneLine(scenario, held));
    if (values.without)
      for (const { asked, verdict } of result.without)
        console.log(
          `without: seed ${scenario.seed} ${JSON.stringify(asked)}: ${verdict.explanation}`,
        );
  }
}
