import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import type { CauseCode } from '#earshot/reach/verdict.js';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';
import { document, testExamples } from './support/examples.js';
import { runScript } from './support/script.js';

const guide = 'docs/why-cant-they-connect.md';

testExamples('README.md', 2);
testExamples(guide, 2);

/** Every cause; those that are false need what not every kernel has, and are told without a sample. */
const causes: Record<CauseCode, boolean> = {
  'interface-missing': true,
  'interface-down': true,
  'no-carrier': true,
  'port-blocked': true,
  'ip-disabled': true,
  'opaque-program': true,
  'firewall-unreadable': true,
  'firewall-not-evaluated': true,
  'rule-drop': true,
  'rule-reject': true,
  'policy-drop': true,
  'rule-unknown': true,
  'not-captured': true,
  'martian-source': true,
  'martian-destination': true,
  'source-is-ours': true,
  'reverse-path': true,
  'address-not-ready': true,
  'neighbour-not-answered': true,
  'wrong-scope': true,
  'not-our-address': true,
  forwarded: true,
  'leaves-this-host': true,
  'assumed-on-link': true,
  'not-a-unicast-address': true,
  'group-not-joined': true,
  'no-route': true,
  'route-refuses': true,
  'not-evaluated': true,
  'no-listener': true,
  'bound-to-loopback': true,
  'bound-to-other-address': true,
  'bound-to-other-device': true,
  'outside-vrf': false,
  'ipv6-only': true,
  'ipv4-only': true,
  'other-protocol': true,
  'connected-to-another': true,
  shadowed: true,
  'accept-queue-full': true,
  'signature-required': true,
  'source-not-ours': true,
};

const sections = document(guide).split(/^(?=##)/m);

for (const [code, sample] of Object.entries(causes)) {
  test(`the guide explains ${code}`, (t) => {
    const section = sections.find((text) => text.includes(`\n\`${code}\` · `)) ?? '';
    t.regex(section, /^### \S/);
    t.regex(section, /^\*\*Change:\*\* \S/m);
    t.is(section.includes(`<!-- sample:${code} -->\n\`\`\`console\n`), sample);
  });
}

test('every link inside the documents leads to a heading or a file', (t) => {
  for (const path of ['README.md', 'CONTRIBUTING.md', guide]) {
    const text = document(path).replace(/```.*?```/gs, '');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path : join(dirname(path), file);
      t.true(existsSync(join(repositoryRoot, linked)), `${path}: ${target}`);
      if (anchor !== undefined) t.true(anchors(document(linked)).has(anchor), `${path}: ${target}`);
    }
  }
});

/** The anchors of a document's headings, as GitHub and npm make them. */
function anchors(text: string): Set<string> {
  const headings = text.replace(/```.*?```/gs, '').matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

requires(
  'root',
  'namespaces',
  'tool:ip',
  'tool:unshare',
  'tool:nsenter',
  'tool:setpriv',
  'tool:nft',
  'tool:sysctl',
  'tool:python3',
)('the samples of README and guide are what the command prints, and it happens', async (t) => {
  t.timeout(600_000, 'some forty hosts are made');
  const { status, output } = await runScript('scripts/docs/samples.mjs', ['--check']);
  t.is(status, 0, output);
});
