import { inspect } from 'node:util';
import type { Held } from './judge.js';
import { plain, type Scenario } from './scenario.js';

/** A scenario as data, and as lines that a person can type. */
export function showScenario(scenario: Scenario): string {
  const data = inspect(scenario, { depth: null, compact: 4, breakLength: 110 });
  return `${data}\n${replay(scenario).join('\n')}`;
}

/** What makes the host, for a shell in a new network namespace. */
function replay({ links, before, ip, sysctls, listeners, flows, nft }: Scenario): string[] {
  const set = (settings: Record<string, string | number>): string[] =>
    Object.entries(settings).map(([name, value]) => `sysctl -w ${name}=${value}`);
  return [
    '# the host',
    'ip link set lo up',
    ...links.flatMap(({ name, kind, segment, addresses, peers }) => [
      `# ${name}: ${kind}${segment ? ` on segment ${segment}` : ''}, with ${peers.map(describePeer).join('; ') || 'nobody'}`,
      `ip link set ${name} up`,
      ...addresses.map((address) => `ip address add ${address} dev ${name}`),
    ]),
    ...set(before),
    ...ip.map((line) => `ip ${line}`),
    ...set(sysctls),
    '# its listeners',
    ...listeners.map((listener) => `#   ${inspect(listener, { breakLength: Infinity })}`),
    ...nft.map((line) => `nft '${line}'`),
    `# asked: ${flows.length} ${flows.length === 1 ? 'flow' : 'flows'}`,
  ];
}

function describePeer({
  machine,
  addresses,
  behind,
  duplicates,
}: Scenario['links'][0]['peers'][0]): string {
  const more = duplicates ? `, holding ${duplicates.join(' ')} too` : '';
  const router = behind
    ? `, router of ${behind.machine} ${behind.addresses.map(plain).join(' ')}`
    : '';
  return `${machine} ${addresses.map(plain).join(' ')}${more}${router}`;
}

/** What earshot says of a flow, and what the kernel did. */
export function showHeld({ flow, asked, verdict, result, about }: Held): string {
  const { takers, acceptedBy, ...happened } = result;
  const one = (value: unknown): string => inspect(value, { breakLength: Infinity, depth: null });
  const { steps, outcome, symptom, cause, explanation } = verdict;
  return [
    `${about}: from ${flow.from}: ${one(asked)}`,
    `  earshot: ${outcome} ${symptom ?? ''} ${cause?.code ?? ''}: ${explanation}`,
    ...steps.map(
      ({ stage, direction, action, detail }) => `    ${direction} ${stage} ${action}: ${detail}`,
    ),
    `  kernel: ${one(happened)}`,
    ...takers.map(({ spec, namespace }) => `    taken in ${namespace.name} by ${one(spec)}`),
  ].join('\n');
}

/** The same as a line. */
export function inOneLine(seed: number, { flow, asked, verdict, result, about }: Held): string {
  const { outcome, symptom, cause } = verdict;
  const [said, came] = [outcome === 'reachable' ? outcome : symptom, result.symptom ?? 'reachable'];
  return (
    `seed ${seed}: ${about}: ${flow.from} ${flow.protocol} ${asked.source?.address ?? ''} on ${asked.ingress} ` +
    `to ${flow.destination.address}: earshot ${said} (${cause?.code ?? 'nothing in the way'}), kernel ${came}`
  );
}
