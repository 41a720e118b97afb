import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from '../build.mjs';
import { setUp } from '../setup.mjs';
import { inRoot } from '../support/paths.mjs';
import { main, StepError, say } from '../support/step.mjs';
import { env, Host, lines } from './host.mjs';
import { imageOf } from './image.mjs';
import { metricsSample } from './metrics.mjs';
import { documents, images } from './scenes.mjs';

/*
 * Writes the sample output in README.md and in the guide, and the picture of it, from real runs of the
 * command, each on a host made for it in namespaces, and makes sure that what it says really happens. With --check it
 * writes nothing and fails if a document is not what would be written; names of samples make it do
 * these alone. Root is needed: the names of the legacy tables are shown to nobody else.
 */

/** @typedef {import('./host.mjs').Attempt} Attempt */

const inside = '--inside';
/** As many hosts are made at the same time. */
const abreast = 4;

const words = process.argv.slice(2);
async function outside() {
  if (process.getuid?.() !== 0) {
    throw new StepError('the samples show what root sees', 'run it as root');
  }
  const check = words.includes('--check');
  const wanted = words.filter((word) => word !== '--check');
  await setUp();
  await build();
  const stale = [];
  for (const [path, scenes] of Object.entries(documents)) {
    const before = readFileSync(inRoot(path), 'utf8');
    const names = Object.keys(scenes).filter(
      (name) => wanted.length === 0 || wanted.includes(name),
    );
    const samples = await all(names.map((name) => () => sampleOf(path, name)));
    let after = before;
    names.forEach((name, index) => {
      after = filled(path, after, name, samples[index] ?? '');
    });
    if (after === before) continue;
    if (check) stale.push(path);
    else {
      writeFileSync(inRoot(path), after);
      say(`wrote the samples of ${path}`);
    }
  }
  for (const [path, { title }] of Object.entries(images)) {
    if (wanted.length > 0 && !wanted.includes(path)) continue;
    const image = imageOf(await sampleOf(path, path), title);
    const file = inRoot(path);
    if (existsSync(file) && readFileSync(file, 'utf8') === image) continue;
    if (check) stale.push(path);
    else {
      writeFileSync(file, image);
      say(`wrote ${path}`);
    }
  }
  if (stale.length === 0) return;
  throw new StepError(
    `what ${stale.join(' and ')} shows is not what the command prints`,
    'node scripts/docs/samples.mjs',
  );
}

/**
 * Does all of it, some at a time, and gives the results in order.
 * @template Result
 * @param {(() => Promise<Result>)[]} tasks
 * @returns {Promise<Result[]>}
 */
async function all(tasks) {
  /** @type {Result[]} */
  const results = [];
  const rest = tasks.entries();
  const worker = async () => {
    for (const [index, task] of rest) results[index] = await task();
  };
  await Promise.all(Array.from({ length: abreast }, worker));
  return results;
}

/**
 * @param {string} path
 * @param {string} name
 * @returns {Promise<string>} the sample, made by this script inside namespaces of its own
 */
async function sampleOf(path, name) {
  const spaces = ['--net', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const script = [process.execPath, process.argv[1] ?? '', inside, path, name];
  const child = spawn('unshare', [...spaces, ...script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const [status] = await once(child, 'close');
  if (status === 0) return output;
  throw new StepError(`the sample ${name} of ${path} could not be made`, 'see above', errors);
}

/**
 * @param {string} path
 * @param {string} text
 * @param {string} name
 * @param {string} sample
 */
function filled(path, text, name, sample) {
  const place = new RegExp(`(<!-- sample:${name} -->\n).*?(<!-- /sample -->)`, 's');
  if (!place.test(text)) {
    throw new StepError(`${path} has no sample:${name}`, `add <!-- sample:${name} -->`);
  }
  return text.replace(place, (_, open, close) => `${open}\`\`\`console\n${sample}\`\`\`\n${close}`);
}

/**
 * Plays one scene and prints its sample.
 * @param {string} path
 * @param {string} name
 */
async function onTheHost(path, name) {
  const image = images[path];
  const scene = image?.scene ?? documents[path]?.[name];
  if (!scene) throw new StepError(`${path} has no scene ${name}`, 'see scripts/docs/scenes.mjs');
  const { servers = [{ pid: 4211, name: 'node', args: ['server.js'], tcp: [3000, '0.0.0.0'] }] } =
    scene;
  const host = new Host();
  try {
    await host.make({ routes: scene.routes ?? true });
    await host.sh(scene.before ?? '');
    await host.peerSh(scene.peer ?? '');
    await host.settled();
    for (const server of servers) await host.serve(server);
    await host.sh(scene.change ?? '');
    await scene.next?.(host);
    const told = {
      powerless: scene.powerless ?? false,
      fails: scene.refused ?? false,
      colour: image !== undefined,
      cwd: scene.recording ? host.keep('host.json', recorded(scene.recording)) : undefined,
    };
    if (scene.metrics !== undefined) {
      process.stdout.write(await metricsSample(scene.metrics));
      return;
    }
    const shown = lines(scene.change ?? '').map((line) => `# ${line}\n`);
    for (const [index, args] of [scene.ask, ...(scene.also ?? [])].entries()) {
      const blank = index === 0 ? '' : '\n';
      const output = await host.earshot(args, told);
      shown.push(`${blank}${['$ earshot', ...args.map(quoted)].join(' ')}\n${output.trimEnd()}\n`);
    }
    const json = scene.refused ? '' : await host.earshot([...scene.ask, '--json'], told);
    const guide = !image && path !== 'README.md';
    if (guide && !scene.refused && !json.includes(`"code": "${name}"`)) {
      throw new StepError(`the answer has no cause ${name}`, 'correct the scene', json);
    }
    if (scene.attempt) await hold(host, scene.attempt, scene.also ? '[]' : json);
    process.stdout.write(shown.join(''));
  } finally {
    await host.close();
  }
}

/**
 * What was captured of a firewall that really ran.
 * @param {string} name
 */
function recorded(name) {
  const recording = readFileSync(inRoot('test/fixtures/firewalls', `${name}.json`), 'utf8');
  return JSON.stringify(JSON.parse(recording).state);
}

/**
 * A word as it is typed: a shell takes brackets for a pattern.
 * @param {string} word
 */
function quoted(word) {
  return /[[\]]/.test(word) ? `'${word}'` : word;
}

/**
 * Really asks, and holds what happens against the verdict.
 * @param {Host} host
 * @param {Attempt} attempt
 * @param {string} json what the sample's own question was answered
 */
async function hold(host, attempt, json) {
  const verdict =
    verdictIn(JSON.parse(json), attempt) ??
    JSON.parse(await host.earshot(['trace', '--json', ...traceWords(attempt)]));
  const expected = verdict.outcome === 'reachable' ? 'connected' : verdict.symptom;
  const happened = await host.attempt(attempt);
  if (happened === expected) return;
  throw new StepError(
    `earshot says ${verdict.outcome} (${expected}), and it was ${happened}`,
    'the kernel is right: correct the scene or earshot',
    verdict.explanation,
  );
}

/** @param {string} address */
const withoutZone = (address) => address.replace(/%.*/, '');

/**
 * The verdict on the attempt where the answer has it: that of a trace, or of one peer's flows.
 * @param {any} answer
 * @param {Attempt} attempt
 */
function verdictIn(answer, { to }) {
  if (!Array.isArray(answer)) return answer;
  return answer.find(({ flow }) => flow?.destination.address === withoutZone(to))?.verdict;
}

/** @param {Attempt} attempt */
function traceWords({ protocol = 'tcp', by, from, to, port, in: arrives }) {
  const address = withoutZone(to);
  const ingress = by === 'host' ? 'lo' : arrives;
  return [
    `--${protocol}`,
    ...(from === undefined ? [] : ['--from', withoutZone(from)]),
    ...(from === undefined || ingress === undefined ? [] : ['--in', ingress]),
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
  ];
}

await main(words[0] === inside ? () => onTheHost(words[1] ?? '', words[2] ?? '') : outside);
