import test from 'ava';
import { listText } from '#earshot/cli/render/list.js';
import { peerText } from '#earshot/cli/render/peer.js';
import { portText } from '#earshot/cli/render/port.js';
import { widthOf } from '#earshot/cli/render/text.js';
import { traceText } from '#earshot/cli/render/trace.js';
import type { View } from '#earshot/cli/render/view.js';
import type { Flow } from '#earshot/reach/flow.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import { sameAsGolden } from './golden.js';
import {
  databaseOnLoopback,
  everyExposure,
  exposureOf,
  exposures,
  laptop,
  process,
  socket,
} from './laptop.js';

const plain: View = { width: 80, colour: false, interactive: false };
const users = new Map([[1000, 'alice']]);
const refused = {
  what: 'nftables' as const,
  reason: 'the kernel refused to show the nftables rule set: EPERM',
  remedy: 'run as root, or give node CAP_NET_ADMIN',
};

const flow: Flow = {
  protocol: 'tcp',
  ingress: 'eth0',
  source: { address: '192.168.1.7' },
  destination: { address: '192.168.1.10', port: 5432 },
};

const verdict: Verdict = {
  outcome: 'unreachable',
  symptom: 'ECONNREFUSED',
  stage: 'socket',
  cause: { code: 'bound-to-loopback', socket: databaseOnLoopback },
  assuming: null,
  socket: null,
  steps: [
    { stage: 'device', direction: 'request', action: 'pass', detail: 'arrives on eth0' },
    {
      stage: 'routing',
      direction: 'request',
      action: 'pass',
      detail: 'local 192.168.1.10/32 dev eth0 (table local): for this host',
    },
    {
      stage: 'socket',
      direction: 'request',
      action: 'reject',
      detail: 'no socket takes it, so the kernel answers a reset',
    },
  ],
  explanation: '192.168.1.7 does not reach 192.168.1.10:5432: the server is bound to loopback.',
};

test('every listening socket, the widest exposed first', (t) => {
  sameAsGolden(t, 'list', listText(laptop(), everyExposure, plain));
});

test('what could not be read is told below the list with its remedy', (t) => {
  sameAsGolden(
    t,
    'list-missing',
    listText(laptop({ missing: [refused] }), exposures[6379]!, plain),
  );
});

test('a host where nobody listens', (t) => {
  t.is(listText(laptop(), [], plain), 'Nobody listens on laptop.\n');
});

for (const port of Object.keys(exposures).map(Number)) {
  test(`port ${port}`, (t) => {
    const question = { port, protocols: ['tcp', 'udp'] as const };
    sameAsGolden(t, `port-${port}`, portText(laptop(), question, exposures[port]!, users, plain));
  });
}

test('a port that nobody listens on, with the socket that comes near', (t) => {
  const near = socket('0.0.0.0', 53, { protocol: 'udp', owners: [process(5, 'dnsmasq')] });
  const bound = socket('0.0.0.0', 53, { state: 'bound', owners: [process(6, 'node')] });
  const text = portText(
    laptop({ sockets: [near, bound] }),
    { port: 53, protocols: ['tcp'] },
    [],
    users,
    plain,
  );
  t.is(
    text,
    'Nobody listens on TCP port 53 of laptop.\ndnsmasq (pid 5) listens on 53/udp.\nnode (pid 6) is bound to 53/tcp and has not called listen().\n',
  );
});

test('a packet step by step, the deciding step marked', (t) => {
  const chosen = '(eth0 because the route back to 192.168.1.7 goes by it; --in names another.)';
  sameAsGolden(
    t,
    'trace',
    traceText(laptop(), { flow, chosen }, { ...verdict, remedies: [] }, plain),
  );
});

for (const width of [40, 80, 200]) {
  test(`a packet that rules let through and a route does not let back, in ${width} columns`, (t) => {
    const long =
      'iptables filter INPUT rule 2: iptables -A INPUT -p tcp -m tcp --dport 5432 -m conntrack --ctstate NEW -j ACCEPT';
    const life: Verdict = {
      ...verdict,
      symptom: 'ETIMEDOUT',
      stage: 'reply',
      cause: {
        code: 'interface-down',
        interface: 'eth0',
      },
      steps: [
        ...verdict.steps.slice(0, 2),
        { stage: 'input', direction: 'request', action: 'pass', detail: 'iptables raw: accept' },
        { stage: 'input', direction: 'request', action: 'pass', detail: long },
        { stage: 'socket', direction: 'request', action: 'deliver', detail: 'taken by\u001b[2J' },
        { stage: 'reply', direction: 'reply', action: 'pass', detail: 'answered' },
        { stage: 'reply', direction: 'reply', action: 'drop', detail: 'blackhole 0.0.0.0/0' },
      ],
      explanation: 'The answer is lost.',
    };
    const view = { ...plain, width };
    const asked = { flow, chosen: null };
    const text = traceText(laptop(), asked, { ...life, remedies: [] }, view);
    sameAsGolden(t, `life-${width}`, text);
    for (const line of text.split('\n')) t.true(widthOf(line) <= width, line);
  });
}

test('one peer and one port', (t) => {
  sameAsGolden(
    t,
    'peer',
    peerText(laptop(), '192.168.1.7', [{ flow, verdict, remedies: [] }], null, plain),
  );
});

const texts = (view: View) => [
  listText(laptop({ missing: [refused] }), everyExposure, view),
  ...Object.entries(exposures).map(([port, some]) =>
    portText(laptop(), { port: Number(port), protocols: ['tcp', 'udp'] }, some, users, view),
  ),
  traceText(laptop(), { flow, chosen: null }, { ...verdict, remedies: [] }, view),
];

test('no line is wider than the terminal or ends in a blank, at any usual width', (t) => {
  for (const width of [60, 80, 100, 120]) {
    for (const text of texts({ ...plain, width })) {
      for (const line of text.split('\n')) {
        t.true(widthOf(line) <= width, `${width}: ${line}`);
        t.is(line, line.trimEnd());
      }
    }
  }
});

test('without colour there is no control character; with colour the words are the same', (t) => {
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  const coloured = texts({ ...plain, colour: true });
  for (const [index, text] of texts(plain).entries()) {
    t.notRegex(text, /[^\n\P{Cc}]/u);
    t.regex(coloured[index]!, escapes);
    t.is(coloured[index]!.replace(escapes, ''), text);
  }
});

test('a process cannot write to the terminal by its name or its arguments', (t) => {
  const name = '\u001b[2J\u202eevil';
  const evil = socket('0.0.0.0', 1, { owners: [process(7, name, name, '\r\n')] });
  const some = [exposureOf(evil, 'nobody')];
  const text =
    listText(laptop(), some, plain) +
    portText(laptop(), { port: 1, protocols: ['tcp'] }, some, users, plain);
  t.notRegex(text, /[^\n\P{C}]/u);
  t.true(text.includes('\\x1b[2J\\u{202e}evil'));
});

test('a long command is one line on a terminal and whole in a file', (t) => {
  const long = Array.from({ length: 40 }, (_, index) => `--option-${index}`);
  const held = socket('0.0.0.0', 1, { owners: [process(7, 'java', 'java', ...long)] });
  const of = (view: View) =>
    portText(laptop(), { port: 1, protocols: ['tcp'] }, [exposureOf(held, 'nobody')], users, view);
  t.regex(of({ ...plain, interactive: true }), /java --option-0 .*…\n {2}Stands on/);
  t.true(
    of(plain)
      .replace(/\s+/g, ' ')
      .includes(`java ${long.join(' ')}`),
  );
});
