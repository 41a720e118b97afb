import { parseArgs } from 'node:util';
import { whyNoLab } from '../privilege.js';
import { connectPeers } from './connect-peers.js';
import { generate } from './generate.js';
import { holdScenario } from './hold.js';
import type { Held } from './judge.js';
import { Random } from './random.js';
import { families, type Scenario, type ScenarioFamily } from './scenario.js';
import { inOneLine, showHeld, showScenario } from './show.js';
import { shrink } from './shrink.js';
import { Tally } from './tally.js';

/*
 * The randomised lab: `npm run lab -- --seeds 1-500 [--family bind,routes] [--show N] [--flows N]`
 * builds the scenario of every seed and compares every flow; `--seed N` prints one scenario and
 * compares it. Disagreements are shown with their shrunken scenario, up to --show of them; with
 * --unknown what earshot left open is listed. With --peers the sets of exposure are held against the
 * kernel instead: peers drawn from them connect. Ends with 1 where anything was wrong.
 */

/** Two scenarios at once: one waits for silence while the other is built. */
const atOnce = 2;
const shrinkMs = 60_000;

interface Options {
  first: number;
  last: number;
  families: ScenarioFamily[];
  show: number;
  flows: number | undefined;
  print: boolean;
  unknown: boolean;
  peers: boolean;
}

const options = readOptions();
const reason = whyNoLab();
if (reason !== null) refuse(reason);
const told = { drawn: 0, wrong: 0, elsewhere: 0, unknown: 0 };
const tally = new Tally();
const wrong: { scenario: Scenario; held: Held }[] = [];
let next = options.first;
await Promise.all(Array.from({ length: atOnce }, work));
for (const { scenario, held } of wrong) console.log(inOneLine(scenario.seed, held));
for (const { scenario, held } of wrong.slice(0, options.show)) await tell(scenario, held);
if (options.peers)
  console.log(
    `${told.drawn} peers connected, ${told.wrong} otherwise than exposure says; ${told.elsewhere} more are answered by another link, ${told.unknown} rows say unknown`,
  );
else console.log(tally.toString());
process.exitCode = tally.total.wrong + told.wrong > 0 ? 1 : 0;

async function work(): Promise<void> {
  while (next <= options.last) {
    const scenario = generate(next++, options.flows);
    if (!options.families.includes(scenario.family)) continue;
    if (options.print) console.log(showScenario(scenario));
    if (options.peers) {
      await connect(scenario);
      continue;
    }
    const result = await holdScenario(scenario);
    tally.add(scenario, result);
    // One of each kind for a scenario: they mostly are one fault.
    const kinds = new Set<string>();
    for (const held of result.held) {
      if (options.unknown && held.judgement === 'unknown') {
        console.log(inOneLine(scenario.seed, held));
      }
      if (held.judgement !== 'wrong' || kinds.has(held.about)) continue;
      kinds.add(held.about);
      wrong.push({ scenario, held });
    }
  }
}

async function connect(scenario: Scenario): Promise<void> {
  const {
    drawn,
    wrong: complaints,
    elsewhere,
    unknown,
  } = await connectPeers(scenario, new Random(scenario.seed));
  told.drawn += drawn;
  told.wrong += complaints.length;
  told.elsewhere += elsewhere;
  told.unknown += unknown;
  for (const complaint of complaints.slice(0, options.show))
    console.log(`seed ${scenario.seed}: ${complaint}`);
}

async function tell(scenario: Scenario, held: Held): Promise<void> {
  console.log(`\n======== seed ${scenario.seed} (${scenario.family}): ${held.about}`);
  console.log(showHeld(held));
  const shows = async (candidate: Scenario): Promise<Held | null> => {
    const result = await holdScenario(candidate);
    return (
      result.held.find(({ judgement, about }) => judgement === 'wrong' && about === held.about) ??
      null
    );
  };
  const shrunken = await shrink({ scenario, held }, shows, shrinkMs);
  console.log('-------- shrunken');
  console.log(showScenario(shrunken.scenario));
  console.log(showHeld(shrunken.held));
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1-50' },
      seed: { type: 'string' },
      family: { type: 'string' },
      show: { type: 'string', default: '5' },
      flows: { type: 'string' },
      unknown: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
    },
  });
  const range = /^(\d+)(?:-(\d+))?$/.exec(values.seed ?? values.seeds);
  if (!range) refuse(`--seeds ${values.seed ?? values.seeds} is no range of seeds: say 1-500`);
  const wanted = values.family?.split(',') ?? [...families];
  const strange = wanted.find((family) => !families.includes(family as ScenarioFamily));
  if (strange !== undefined) refuse(`there is no family '${strange}': ${families.join(', ')}`);
  const first = Number(range[1]);
  return {
    first,
    last: Number(range[2] ?? first),
    families: wanted as ScenarioFamily[],
    show: count('show', values.show),
    flows: values.flows === undefined ? undefined : count('flows', values.flows),
    print: values.seed !== undefined,
    unknown: values.unknown,
    peers: values.peers,
  };
}

function count(name: string, text: string): number {
  return /^\d+$/.test(text) ? Number(text) : refuse(`--${name} ${text} is no number`);
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}
